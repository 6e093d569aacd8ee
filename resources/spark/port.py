"""Spark's port: from a CSV file in the lake to a Delta table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from resources.jobs import JobStatus
from resources.spec import ModelSpec


@dataclass(frozen=True)
class Preparation:
    """What to prepare: the CSV at `csv_path` becomes the spec's training table (lake paths).

    `job_id` is a job that `prepare` answered with before: where it has failed or is lost, its
    error is raised and no other one is started.
    """

    spec: ModelSpec
    csv_path: str
    table_path: str
    job_id: str | None = None


@dataclass(frozen=True)
class PreparedTable:
    """A committed Delta table.

    `data_version` is the SHA-256 of schema and content, so an unchanged rewrite is no new
    version and makes no commit; `delta_version` is the table's own commit number.
    """

    name: str
    path: str
    rows: int
    data_version: str
    delta_version: int
    changed: bool
    dropped_rows: int
    findings: tuple[str, ...]


class Spark(Protocol):
    """Prepares tables. Remote engines answer with a pending JobStatus first."""

    def prepare(self, preparation: Preparation) -> PreparedTable | JobStatus:
        """Make the table, or attach to the job that makes it.

        Returns the table once it is committed, or the job's status while it still runs. The
        old table stays as it is until the new version is committed.
        Raises InvalidInput where no usable row is left.
        """
        ...

    def status(self, job_id: str) -> JobStatus:
        """Poll a job that `prepare` returned; an unknown id is NotFound, not an error."""
        ...
