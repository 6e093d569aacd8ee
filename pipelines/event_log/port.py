"""What commands that only look ask of Dagster's storage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

#: Statuses of runs that a process has, or was started for; a queued one has none yet.
UNDER_WAY = ("STARTED", "STARTING", "CANCELING", "NOT_STARTED")


@dataclass(frozen=True)
class RunRecord:
    """One run; `created` is aware, in UTC."""

    run_id: str
    job: str
    status: str
    created: dt.datetime
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Materialization:
    """One materialization of an asset.

    `time` is in seconds since 1970. `metadata` has the plain values: texts (paths and addresses
    are some), numbers and truth values.
    """

    storage_id: int
    run_id: str
    time: float
    metadata: Mapping[str, object]
    tags: Mapping[str, str]

    @property
    def data_version(self) -> str:
        """Data version of the asset; empty where it has none."""
        return self.tags.get("dagster/data_version", "")


class EventLog(Protocol):
    """Dagster's runs, events and switches, read only."""

    def run(self, run_id: str) -> RunRecord | None:
        """The run of this id, or None."""
        ...

    def last_run(self) -> RunRecord | None:
        """The run that was made last, or None where there is none."""
        ...

    def runs_under_way(self) -> list[RunRecord]:
        """The runs whose status is one of UNDER_WAY."""
        ...

    def materializations(
        self, asset: str, *, before: int | None = None
    ) -> Iterator[Materialization]:
        """The materializations of an asset, newest first; those with a storage id below `before`,
        where that is given. They are read as they are asked for."""
        ...

    def switches(self, location: str) -> dict[str, str]:
        """Sensors and schedules of a code location that people switched, by name: RUNNING,
        STOPPED, or DECLARED_IN_CODE."""
        ...


def latest(log: EventLog, asset: str) -> Materialization | None:
    """The latest materialization of an asset, or None."""
    return next(log.materializations(asset), None)
