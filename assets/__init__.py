"""The lineage: one module a stage, each a function of a ModelSpec."""
