"""Spark's port: from a CSV file in the lake to a Delta table, and from rows to predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bikecast.core.jobs import JobStatus
from bikecast.core.spec import ModelSpec
from bikecast.core.sql import ResultSet


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


@dataclass(frozen=True)
class Stamp:
    """Where predictions come from: the columns that each of their rows carries.

    `predicted_at` is an ISO 8601 moment with its offset. The model's digest is the job's.
    """

    model_version: int
    data_version: str
    code_version: str
    run_id: str
    predicted_at: str


@dataclass(frozen=True)
class ScoringJob:
    """What to score, with which model; all paths are lake paths.

    `model_path` is a file that `bikecast.core.onnx.contract` checked, and `model_digest` its
    SHA-256. `rows_path` is a staged file (`.parquet`: forecast_row, keys, features) or a Delta
    table with the features at least.
    """

    spec: ModelSpec
    model_path: str
    model_digest: str
    rows_path: str
    table_path: str
    stamp: Stamp


@dataclass(frozen=True)
class ScoredTable:
    """A committed Delta table of predictions.

    `folder` is the lake path of the Parquet files of exactly this version, for COPY INTO.
    """

    path: str
    folder: str
    rows: int
    delta_version: int


class Spark(Protocol):
    """Prepares tables and scores rows. Remote engines answer with a pending JobStatus first."""

    def prepare(self, preparation: Preparation) -> PreparedTable | JobStatus:
        """Make the table, or attach to the job that makes it.

        Returns the table once it is committed, or the job's status while it still runs. The
        old table stays as it is until the new version is committed.
        Raises InvalidInput where no usable row is left.
        """
        ...

    def score(self, job: ScoringJob) -> ScoredTable | JobStatus:
        """Score the rows, or attach to the job that scores them.

        Returns the table of predictions once it is committed, or the job's status while it still
        runs. An engine may answer with a table that it made from the same rows by the same model
        before; its stamp is that of then. The old table stays until the commit.
        Raises InvalidInput for rows that cannot be scored.
        """
        ...

    def status(self, job_id: str) -> JobStatus:
        """Poll a job that was returned; an unknown id is NotFound, not an error."""
        ...

    def cancel(self, job_id: str) -> JobStatus:
        """Ask a job to end, and do not wait until it has; one that has ended stays as it is."""
        ...


class LakeSession(Protocol):
    """An interactive session in which each table of the lake is a view of its name.

    It is opened by the first use.
    """

    def tables(self) -> list[str]:
        """The names of the lake's tables."""
        ...

    def sql(self, query: str, *, most: int = ...) -> ResultSet:
        """The rows of one query of Spark SQL.

        Raises InvalidInput for a statement that changes something, and for more than `most` rows;
        BikecastError where Spark refuses the query, or no session can be opened.
        """
        ...

    def stop(self) -> None:
        """End the session; the next use opens another one."""
        ...

    def leave(self) -> None:
        """This process needs the session no more: end it, unless others use it or it is free."""
        ...
