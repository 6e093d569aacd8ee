"""The embedded AutoML as the port's adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from bikecast.core.errors import BikecastError, Damaged
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.training import TrainingResult
from bikecast.embedded.automl import TRAINING_CODE, Jobs
from resources.adapter import Adapter
from resources.automl.port import TrainingRequest


class LocalAutoML(Adapter):
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
        with self._undamaged(job_id):
            return self._jobs.status(job_id)

    def cancel(self, job_id: str) -> JobStatus:
        """Kill the job and all its processes; a job that has ended stays as it is."""
        with self._undamaged(job_id):
            return self._jobs.cancel(job_id)

    def result(self, job_id: str) -> TrainingResult:
        """Read the result of a completed job.

        Raises InvalidInput where the job refused its data, BikecastError for every other state,
        and Damaged for a result that is not what the training wrote.
        """
        is_complete = self.status(job_id).state is JobState.COMPLETED
        with self._undamaged(job_id):
            try:
                return self._jobs.result(job_id)
            except BikecastError as error:
                if is_complete:
                    raise Damaged(Path(self.jobs_dir) / job_id / "result", error) from error
                raise

    @contextmanager
    def _undamaged(self, job_id: str) -> Iterator[None]:
        """Tell of a record that is no JSON, or lacks what each one has, by the job's folder."""
        try:
            yield
        except (ValueError, LookupError, TypeError) as error:
            problem = f"a file of the job's record cannot be read ({type(error).__name__})"
            raise Damaged(Path(self.jobs_dir) / job_id, problem) from error

    @property
    def _jobs(self) -> Jobs:
        return Jobs(Path(self.jobs_dir), self.tracking_uri)
