"""This installation, opened for a command: definitions, event log and resources of one home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.catalog import Definitions, kept_definitions, kept_models
from pipelines.event_log.port import EventLog
from pipelines.event_log.sqlite_log import open_sqlite_log
from pipelines.home import Home, full_disk_explained, open_home
from pipelines.model_files import load_models
from pipelines.models import Model, chosen_model
from pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from pipelines.environments import Resources


@dataclass(frozen=True)
class Installation:
    """What a command works with, for as long as it is open."""

    home: Home
    settings: Settings
    instance: dg.DagsterInstance
    resources: Resources
    models: tuple[Model, ...] = ()

    @cached_property
    def defs(self) -> dg.Definitions:
        """What the code location would load; built where a command first asks for it."""
        from pipelines.build import build_definitions

        return build_definitions(self.settings, self.resources, self.models)

    def model(self, name: str | None) -> Model:
        """The model of this name; None is the only one. Raises InvalidInput."""
        return chosen_model(self.models, name)


@contextmanager
def open_installation(
    settings: Settings,
    resources: Resources | None = None,
    models: tuple[Model, ...] | None = None,
) -> Iterator[Installation]:
    """Open the home of these settings.

    `resources` and `models` are those of these settings where the caller has them already.
    Raises BikecastError where the home cannot be written, or is full when the work inside fails.
    """
    from pipelines.environments import resources_for

    home = open_home(settings)
    models = load_models() if models is None else models
    resources = resources or resources_for(settings, models)
    with full_disk_explained(home), open_event_log(home) as instance:
        yield Installation(home, settings, instance, resources, models)


@dataclass(frozen=True)
class View:
    """What a command that only looks works with, for as long as it is open."""

    home: Home
    settings: Settings
    log: EventLog
    resources: Resources
    models: tuple[Model, ...]

    @cached_property
    def definitions(self) -> Definitions:
        """What the code location would load, as far as people see it."""
        return kept_definitions(self.home, self.settings, self.models)

    def model(self, name: str | None) -> Model:
        """The model of this name; None is the only one. Raises InvalidInput."""
        return chosen_model(self.models, name)


@contextmanager
def open_view(settings: Settings) -> Iterator[View]:
    """Open the home of these settings for a look, where that goes without importing Dagster.

    Raises BikecastError where the home cannot be written, or is full when the work inside fails.
    """
    from pipelines.environments import resources_for

    home = open_home(settings)
    models = kept_models(home)
    resources = resources_for(settings, models)
    with full_disk_explained(home), ExitStack() as stack:
        log: EventLog | None = open_sqlite_log(home.dagster, stack)
        if log is None:
            from pipelines.event_log.dagster_log import DagsterLog

            log = DagsterLog(stack.enter_context(open_event_log(home)))
        yield View(home, settings, log, resources, models)


@contextmanager
def open_event_log(home: Home) -> Iterator[dg.DagsterInstance]:
    """Open Dagster's storage; where it is new, one process at a time makes its tables."""
    import dagster as dg
    from filelock import FileLock

    with FileLock(home.root / "dagster.lock"):
        instance = dg.DagsterInstance.get()
    with instance:
        yield instance
