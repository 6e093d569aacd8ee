"""One folder for each model, with its defs.yaml; folders of other Dagster components as well."""
