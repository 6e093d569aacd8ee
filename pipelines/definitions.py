"""The code location: what `dagster` and `dg` load."""

from __future__ import annotations

from pipelines.bike_rentals import BIKE_RENTALS, MAIN_JOB, SAMPLES
from pipelines.build import build_definitions
from pipelines.environments import resources_for
from pipelines.settings import load_settings

_settings = load_settings()

defs = build_definitions(
    BIKE_RENTALS,
    resources_for(BIKE_RENTALS, _settings, SAMPLES),
    main_job=MAIN_JOB,
    budget_seconds=_settings.budget,
    poll_seconds=_settings.poll_seconds,
    always_promote=_settings.always_promote,
    daily_partitions=_settings.daily_partitions,
    alert_webhook=_settings.alert_webhook.get_secret_value(),
)
