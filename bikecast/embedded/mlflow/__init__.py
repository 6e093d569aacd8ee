"""MLflow on SQLite: the store behind the registry, and the record of each training."""
