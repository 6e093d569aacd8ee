"""bikecast without Dagster: the vocabulary (`core`) and what stands in for Azure (`embedded`)."""
