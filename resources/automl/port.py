"""AutoML's port: submit a training job, poll it, take its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bikecast.core.jobs import JobStatus
from bikecast.core.spec import ModelSpec


@dataclass(frozen=True)
class TrainingRequest:
    """One training job: which table, which spec, and how long at most."""

    job_id: str
    spec: ModelSpec
    table_path: str
    """Lake path of the Delta table."""
    data_version: str
    budget_seconds: float
    tags: Mapping[str, str] = field(default_factory=dict)
    """Root run id, code version and the like; recorded with the job."""


@dataclass(frozen=True)
class TrainingResult:
    """What a completed job leaves behind.

    `leaderboard` has one dict a trial, best first. `scores` has the keys `cv`, `holdout` and
    `time_ordered` (the last is None where the spec has no time key), each a dict of
    `spearman`, `rmse`, `r2` and `rows`. `plots` maps a title to a PNG file. A model card,
    `model-card.md`, lies beside the model where the adapter writes one.

    `diagnostics` holds the tables behind the plots and other JSON facts. Lists of dicts, one a
    row: `honest_scores` (time-ordered first, each kind with its naive baselines and row counts),
    `permutation_importance`, `segments`, `leakage` (`finding`, `column`, `text`), `holdout`. Also
    `intervals` (kind -> score -> [low, high], 95% bootstrap), `column_findings` (texts),
    `residuals`, `members`, `parity`, `seconds`. A key may be missing: an adapter says what it can.
    """

    job_id: str
    model_path: Path
    digest: str
    """SHA-256 of the ONNX file, in hex."""
    leaderboard: list[dict[str, object]]
    scores: dict[str, dict[str, float] | None]
    plots: dict[str, Path]
    warnings: tuple[str, ...] = ()
    diagnostics: Mapping[str, object] = field(default_factory=dict)

    def leaders(self, most: int) -> list[dict[str, object]]:
        """The best trials, without those that have no score: skipped or failed ones."""
        return [row for row in self.leaderboard if row.get("score") is not None][:most]


class AutoML(Protocol):
    """Training jobs under deterministic ids."""

    def submit(self, request: TrainingRequest) -> JobStatus:
        """Start the job, or attach to the one of that id; never starts an id twice."""
        ...

    def status(self, job_id: str) -> JobStatus:
        """Poll one job; an unknown id is NotFound, not an error."""
        ...

    def cancel(self, job_id: str) -> JobStatus:
        """Ask the job to stop; returns its status after the request."""
        ...

    def result(self, job_id: str) -> TrainingResult:
        """Take the result of a completed job.

        Raises BikecastError where the job is not complete, with its state and own error.
        """
        ...
