"""Scoring's port: rows get scores of the live model, and are stored only after a look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bikecast.core.jobs import JobStatus
from bikecast.core.spec import ModelSpec

Way = Literal["predict", "spark"]
#: Rows that are handed to people and checks; a scored table may have many more.
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Scored:
    """Rows that were scored and are not stored in the pool yet.

    `rows` are at most MOST_ROWS of them, in order of forecast_row, with keys, features and the
    score; `count` is the number of all. `reason` says why this way was taken.
    """

    way: Way
    reason: str
    model_version: int
    rows: list[dict[str, object]]
    count: int
    run_id: str
    folder: str = ""
    """Lake path of the Parquet files to load; empty where the pool has the rows."""
    details: Mapping[str, str | int] = field(default_factory=dict)
    """Numbers and texts for people."""
    version: str = ""
    """What tells the content apart where there are more rows than `rows`."""


class Scoring(Protocol):
    """Scores with the model version that is live in the pool."""

    def score(self, spec: ModelSpec, *, run_id: str) -> Scored | JobStatus:
        """Score the rows; the stored predictions stay as they are.

        Returns the status of a remote job that is not ready; a later call attaches to it.
        Raises BikecastError (SqlError 51000) while no model is live, InvalidInput for rows that
        cannot be scored.
        """
        ...

    @property
    def needs_predict(self) -> bool:
        """Whether rows can be scored only where the pool has PREDICT."""
        ...

    def store(self, spec: ModelSpec, scored: Scored) -> list[dict[str, object]]:
        """Replace the stored predictions in the pool, in one transaction.

        Returns the stored rows in order, at most MOST_ROWS.
        """
        ...
