"""AutoML's port: submit a training job, poll it, take its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from bikecast.core.jobs import JobStatus
from bikecast.core.spec import ModelSpec
from bikecast.core.training import TrainingResult


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


class AutoML(Protocol):
    """Training jobs under deterministic ids."""

    training_code: ClassVar[tuple[str, ...]]
    """What decides a model beside data and settings, for `code_version`: paths and libraries. A
    new version of any of it is a new training."""

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
