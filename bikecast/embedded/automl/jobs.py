"""Training jobs on this machine: submitted, polled, stopped, and their results taken."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.spec import EMBEDDED_ALGORITHMS, ModelSpec
from bikecast.core.spec_json import spec_to_json
from bikecast.core.training import TrainingResult
from bikecast.embedded.automl.job import JobRecord, job_limit
from bikecast.embedded.automl.locks import exclusive
from bikecast.embedded.automl.process import kill_driver, start_driver


@dataclass(frozen=True)
class Jobs:
    """The jobs of a folder; each is a detached process with a durable record in `folder/<job_id>/`.

    A job outlives the process that submitted it. A lock that the job's process holds tells
    whether it lives, so a killed job is noticed at once.
    """

    folder: Path
    tracking_uri: str = ""
    """MLflow tracking store that jobs log to; empty for none."""

    def submit(
        self,
        job_id: str,
        spec: ModelSpec,
        table: Path,
        *,
        data_version: str,
        budget_seconds: float,
        tags: Mapping[str, str],
    ) -> JobStatus:
        """Start the job, or attach to the one of that id; never starts an id twice.

        `table` is a Delta table with the spec's training columns. An id whose process died before
        it began is started again.
        Raises InvalidInput for a bad id, budget or spec, BikecastError where the disk is full.
        """
        record = JobRecord.of(self.folder, job_id)
        _check(spec, budget_seconds)
        with self._submitting():
            status = record.status()
            if status.state is JobState.NOT_FOUND:
                record.create(
                    {
                        "job_id": job_id,
                        "spec": spec_to_json(spec),
                        "table": str(table.absolute()),
                        "data_version": data_version,
                        "budget_seconds": budget_seconds,
                        "limit_seconds": job_limit(budget_seconds),
                        "tracking_uri": self.tracking_uri,
                        "tags": dict(tags),
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
        """Poll one job; an unknown id is NotFound. A job that hangs is stopped."""
        record = JobRecord.of(self.folder, job_id)
        status = record.status()
        if not status.state.is_terminal and (reason := record.overdue()) is not None:
            return self._stop(record, reason)
        return status

    def cancel(self, job_id: str) -> JobStatus:
        """Kill the job and all its processes; a job that has ended stays as it is."""
        record = JobRecord.of(self.folder, job_id)
        if record.status().state.is_terminal:
            return record.status()
        return self._stop(record, "canceled on request")

    def result(self, job_id: str) -> TrainingResult:
        """Read the result of a completed job.

        Raises InvalidInput where the job refused its data, BikecastError for every other state.
        """
        record = JobRecord.of(self.folder, job_id)
        status = self.status(job_id)
        if status.state is not JobState.COMPLETED:
            refused = record.end().get("kind") == "InvalidInput"
            error = InvalidInput if refused else BikecastError
            raise error(
                f"training job {job_id} is {status.state}: {status.error or 'it has no result yet'}"
            )
        from bikecast.embedded.automl.results import read_result

        return read_result(job_id, record.result_folder)

    def _submitting(self) -> AbstractContextManager[None]:
        return exclusive(self.folder.absolute() / ".submit.lock")

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


def _check(spec: ModelSpec, budget_seconds: float) -> None:
    if not budget_seconds > 0:
        raise InvalidInput(
            f"the training budget is {budget_seconds} s; it must be above 0. Nothing was started."
        )
    settings, algorithms = spec.training, set(EMBEDDED_ALGORITHMS)
    allowed = algorithms & set(settings.allowed_algorithms or algorithms)
    if not allowed - set(settings.blocked_algorithms):
        raise InvalidInput(
            f"{spec.model_name}: no allowed algorithm is one of the embedded AutoML's: "
            f"{', '.join(EMBEDDED_ALGORITHMS)}. Nothing was started."
        )
    dates = [column.name for column in spec.features if column.sql_type == "date"]
    if dates:
        raise InvalidInput(
            f"{spec.model_name}: a date cannot be an input of PREDICT "
            f"({', '.join(dates)}); make it a key. Nothing was started."
        )
