"""The embedded AutoML: each job is a detached process with a durable record in a folder."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.spec import EMBEDDED_ALGORITHMS
from bikecast.core.spec_json import spec_to_json
from bikecast.core.training import TrainingResult
from bikecast.embedded.automl.job import JobRecord, job_limit
from bikecast.embedded.automl.locks import exclusive
from bikecast.embedded.automl.process import kill_driver, start_driver
from resources.automl.port import TrainingRequest


class LocalAutoML(dg.ConfigurableResource):
    """Trains on this machine, from a Delta table in a local lake.

    A job is the folder `jobs_dir/<job_id>/`; it outlives the process that submitted it. A lock
    that the job's process holds tells whether it lives, so a killed job is noticed at once.
    """

    jobs_dir: str
    lake_root: str
    tracking_uri: str = ""
    """MLflow tracking store that jobs log to; empty for none."""

    def submit(self, request: TrainingRequest) -> JobStatus:
        """Start the job, or attach to the one of that id; never starts an id twice.

        An id whose process died before it began is started again.
        Raises InvalidInput for a bad id, budget or spec, BikecastError where the disk is full.
        """
        record = JobRecord.of(self.jobs_dir, request.job_id)
        _check(request)
        with self._submitting():
            status = record.status()
            if status.state is JobState.NOT_FOUND:
                record.create(
                    {
                        "job_id": request.job_id,
                        "spec": spec_to_json(request.spec),
                        "table": str(Path(self.lake_root).absolute() / request.table_path),
                        "data_version": request.data_version,
                        "budget_seconds": request.budget_seconds,
                        "limit_seconds": job_limit(request.budget_seconds),
                        "tracking_uri": self.tracking_uri,
                        "tags": dict(request.tags),
                        "submitted_at": time.time(),
                    }
                )
                lock = record.holder()
                if lock is not None:
                    try:
                        start_driver(record, lock)
                    finally:
                        lock.close()
                status = record.status()
        return status

    def status(self, job_id: str) -> JobStatus:
        """Poll one job; an unknown id is NotFound. A job over its own limit is stopped."""
        record = JobRecord.of(self.jobs_dir, job_id)
        status = record.status()
        if not status.state.is_terminal and (limit := record.overdue()) is not None:
            reason = f"it ran longer than its limit of {limit:.0f} s and was stopped"
            return self._stop(record, reason)
        return status

    def cancel(self, job_id: str) -> JobStatus:
        """Kill the job and all its processes; a job that has ended stays as it is."""
        record = JobRecord.of(self.jobs_dir, job_id)
        if record.status().state.is_terminal:
            return record.status()
        return self._stop(record, "canceled on request")

    def result(self, job_id: str) -> TrainingResult:
        """Read the result of a completed job.

        Raises InvalidInput where the job refused its data, BikecastError for every other state.
        """
        record = JobRecord.of(self.jobs_dir, job_id)
        status = self.status(job_id)
        if status.state is not JobState.COMPLETED:
            kind = InvalidInput if record.end().get("kind") == "InvalidInput" else BikecastError
            raise kind(
                f"training job {job_id} is {status.state}: {status.error or 'it has no result yet'}"
            )
        from bikecast.embedded.automl.results import read_result

        return read_result(job_id, record.result_folder)

    def _submitting(self) -> AbstractContextManager[None]:
        return exclusive(Path(self.jobs_dir).absolute() / ".submit.lock")

    def _stop(self, record: JobRecord, reason: str) -> JobStatus:
        stopped = kill_driver(record)
        with self._submitting():
            status = record.status()
            if (
                stopped
                and status.state in (JobState.FAILED, JobState.NOT_FOUND)
                and not record.end()
            ):
                record.write_end(JobState.CANCELED, reason)
                status = record.status()
        return status


def _check(request: TrainingRequest) -> None:
    if not request.budget_seconds > 0:
        raise InvalidInput(
            f"the training budget is {request.budget_seconds} s; it must be above 0. "
            "Nothing was started."
        )
    settings = request.spec.training
    known = set(settings.allowed_algorithms or EMBEDDED_ALGORITHMS) & set(EMBEDDED_ALGORITHMS)
    if not known - set(settings.blocked_algorithms):
        raise InvalidInput(
            f"{request.spec.model_name}: no allowed algorithm is one of the embedded AutoML's: "
            f"{', '.join(EMBEDDED_ALGORITHMS)}. Nothing was started."
        )
    dates = [column.name for column in request.spec.features if column.sql_type == "date"]
    if dates:
        raise InvalidInput(
            f"{request.spec.model_name}: a date cannot be an input of PREDICT "
            f"({', '.join(dates)}); make it a key. Nothing was started."
        )
