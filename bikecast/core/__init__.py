"""The vocabulary that everything shares: it knows nobody, and needs no Dagster."""
