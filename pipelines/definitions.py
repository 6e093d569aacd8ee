"""The code location: what `dagster` and `dg` load."""

from __future__ import annotations

from pipelines.bike_rentals import BIKE_RENTALS, SAMPLES
from pipelines.build import build_definitions
from pipelines.environments import resources_for
from pipelines.settings import load_settings

_settings = load_settings()

defs = build_definitions(_settings, resources_for(BIKE_RENTALS, _settings, SAMPLES))
