"""This installation, opened for a command: definitions, event log and resources of one home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.bike_rentals import BIKE_RENTALS, SAMPLES
from pipelines.home import Home, full_disk_explained, open_home
from pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from pipelines.environments import Resources


@dataclass(frozen=True)
class Installation:
    """What a command works with, for as long as it is open."""

    home: Home
    defs: dg.Definitions
    instance: dg.DagsterInstance
    resources: Resources


@contextmanager
def open_installation(
    settings: Settings, resources: Resources | None = None
) -> Iterator[Installation]:
    """Open the home of these settings, as the code location would load it.

    `resources` are those of these settings where the caller has them already.
    Raises BikecastError where the home cannot be written, or is full when the work inside fails.
    """
    from pipelines.build import build_definitions
    from pipelines.environments import resources_for

    home = open_home(settings)
    resources = resources or resources_for(BIKE_RENTALS, settings, SAMPLES)
    defs = build_definitions(settings, resources)
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
