"""What Dagster loads and what people run."""
