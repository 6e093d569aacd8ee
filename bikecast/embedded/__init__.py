"""What stands in for Azure on one machine: AutoML, the model registry and the SQL pool."""
