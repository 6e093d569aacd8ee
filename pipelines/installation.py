"""This installation, opened for a command: definitions, event log and resources of one home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.bike_rentals import BIKE_RENTALS, MAIN_JOB, SAMPLES
from pipelines.home import Home, full_disk_explained, open_home
from pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from bikecast.core.spec import ModelSpec
    from pipelines.environments import Resources


@dataclass(frozen=True)
class Installation:
    """What a command works with, for as long as it is open."""

    home: Home
    defs: dg.Definitions
    instance: dg.DagsterInstance
    resources: Resources


def definitions_of(
    settings: Settings,
    resources: Resources,
    spec: ModelSpec = BIKE_RENTALS,
    main_job: str = MAIN_JOB,
) -> dg.Definitions:
    """What the code location has by these settings."""
    from pipelines.build import build_definitions

    return build_definitions(
        spec,
        resources,
        main_job=main_job,
        budget_seconds=settings.budget,
        poll_seconds=settings.poll_seconds,
        always_promote=settings.always_promote,
        daily_partitions=settings.daily_partitions,
        alert_webhook=settings.alert_webhook.get_secret_value(),
    )


@contextmanager
def open_installation(
    settings: Settings, resources: Resources | None = None
) -> Iterator[Installation]:
    """Open the home of these settings, as the code location would load it.

    `resources` are those of these settings where the caller has them already.
    Raises BikecastError where the home cannot be written, or is full when the work inside fails.
    """
    from pipelines.environments import resources_for

    home = open_home(settings)
    resources = resources or resources_for(BIKE_RENTALS, settings, SAMPLES)
    defs = definitions_of(settings, resources)
    with full_disk_explained(home), open_event_log(home) as instance:
        yield Installation(home, defs, instance, resources)


@contextmanager
def open_event_log(home: Home) -> Iterator[dg.DagsterInstance]:
    """Open Dagster's storage; where it is new, one process at a time makes its tables."""
    import dagster as dg
    from filelock import FileLock

    with FileLock(home.root / "dagster.lock"):
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance
