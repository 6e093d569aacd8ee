"""The embedded AutoML as the port's adapter."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import dagster as dg

from bikecast.core.jobs import JobStatus
from bikecast.core.training import TrainingResult
from bikecast.embedded.automl import TRAINING_CODE, Jobs
from resources.automl.port import TrainingRequest


class LocalAutoML(dg.ConfigurableResource):
    """Trains on this machine, from a Delta table in a local lake; implements the port AutoML."""

    training_code: ClassVar[tuple[str, ...]] = TRAINING_CODE

    jobs_dir: str
    lake_root: str
    tracking_uri: str = ""
    """MLflow tracking store that jobs log to; empty for none."""

    def submit(self, request: TrainingRequest) -> JobStatus:
        """Start the job, or attach to the one of that id, as `Jobs.submit` does."""
        return self._jobs.submit(
            request.job_id,
            request.spec,
            Path(self.lake_root) / request.table_path,
            data_version=request.data_version,
            budget_seconds=request.budget_seconds,
            tags=request.tags,
        )

    def status(self, job_id: str) -> JobStatus:
        """Poll one job; an unknown id is NotFound. A job that hangs is stopped."""
        return self._jobs.status(job_id)

    def cancel(self, job_id: str) -> JobStatus:
        """Kill the job and all its processes; a job that has ended stays as it is."""
        return self._jobs.cancel(job_id)

    def result(self, job_id: str) -> TrainingResult:
        """Read the result of a completed job.

        Raises InvalidInput where the job refused its data, BikecastError for every other state.
        """
        return self._jobs.result(job_id)

    @property
    def _jobs(self) -> Jobs:
        return Jobs(Path(self.jobs_dir), self.tracking_uri)
