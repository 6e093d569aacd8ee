"""The lab's model as its file has it, for tests and benchmarks; the product names no model."""

from __future__ import annotations

from pipelines.model_files import DEFS, read_model

_MODEL = read_model(DEFS / "bike_rentals" / "defs.yaml")
BIKE_RENTALS, SAMPLES = _MODEL.spec, _MODEL.samples
