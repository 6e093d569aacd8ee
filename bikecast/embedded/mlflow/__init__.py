"""MLflow on SQLite: the store behind the registry, and the record of each training.

This is its public face; README.md shows it in use. Importing it does not import MLflow.
"""

from bikecast.embedded.mlflow.store import (
    database_path,
    is_ready,
    mlflow_client,
    prepare_store,
    reading,
    writing,
)
from bikecast.embedded.mlflow.tracking import log_training

__all__ = [
    "database_path",
    "is_ready",
    "log_training",
    "mlflow_client",
    "prepare_store",
    "reading",
    "writing",
]
