"""AutoML: trains, compares and exports models; embedded locally, Azure ML in azure."""
