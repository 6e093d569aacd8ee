"""Generated files by the name that a model's `sample` field has: training, then scoring."""

from __future__ import annotations

from pipelines.sample.simulator import SAMPLE_FORECAST, SAMPLE_TRAINING

SAMPLES = {"bike_rentals": (SAMPLE_TRAINING, SAMPLE_FORECAST)}
