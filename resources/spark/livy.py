"""Livy batches of a Synapse Spark pool: found by name, submitted, and their states."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bikecast.core.jobs import JobState, JobStatus
from resources.azure.credentials import TIMEOUTS, azure_credential, client_options

if TYPE_CHECKING:
    from azure.synapse.spark import SparkClient

#: Livy's batch states by ours: https://learn.microsoft.com/rest/api/synapse/data-plane
STATES = {
    **dict.fromkeys(("not_started", "starting"), JobState.QUEUED),
    **dict.fromkeys(("idle", "busy", "running", "recovering"), JobState.RUNNING),
    "shutting_down": JobState.RUNNING,
    "success": JobState.COMPLETED,
    **dict.fromkeys(("error", "dead"), JobState.FAILED),
    "killed": JobState.CANCELED,
}
RESULTS = {
    "Succeeded": JobState.COMPLETED,
    "Failed": JobState.FAILED,
    "Cancelled": JobState.CANCELED,
}
#: Livy gives 20 batches a page at most.
PAGE = 20
MOST_PAGES = 50


@dataclass(frozen=True)
class Batches:
    """The batches of one pool."""

    workspace: str
    pool: str

    def find(self, name: str) -> list[Any]:
        """The batches of a name, newest first."""
        batches = [batch for batch in self._all() if batch.name == name]
        return sorted(batches, key=lambda batch: int(batch.id), reverse=True)

    def get(self, livy_id: int, name: str) -> list[Any]:
        """The batch of an id if it has the name, as a list; empty where it is unknown."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            batch = self._client.spark_batch.get_spark_batch_job(livy_id, detailed=True, **TIMEOUTS)
        except ResourceNotFoundError:
            return []
        return [batch] if batch.name == name else []

    def cancel(self, batch: Any) -> None:
        """Ask Livy to end a batch; one that is gone is no error."""
        from azure.core.exceptions import ResourceNotFoundError

        with contextlib.suppress(ResourceNotFoundError):
            self._client.spark_batch.cancel_spark_batch_job(batch.id, **TIMEOUTS)

    def submit(
        self,
        name: str,
        *,
        file: str,
        modules: str,
        arguments: Sequence[str],
        executors: int,
        cores: int,
        memory: str,
    ) -> Any:
        """Start a batch; Livy does not refuse a name that is there already.

        So a request that may have been taken is never sent again here.
        """
        from azure.synapse.spark.models import SparkBatchJobOptions

        options = SparkBatchJobOptions(
            name=name,
            file=file,
            python_files=[modules],
            arguments=list(arguments),
            configuration={},
            driver_memory=memory,
            driver_cores=cores,
            executor_memory=memory,
            executor_cores=cores,
            executor_count=executors,
        )
        return self._client.spark_batch.create_spark_batch_job(
            options, detailed=True, retry_status=0, retry_read=0, **TIMEOUTS
        )

    def status(self, batch: Any) -> JobStatus:
        """The state of a batch, by Livy's result where it is certain, else by its state."""
        livy_state, result = str(batch.state), str(batch.result)
        state = RESULTS.get(result) or STATES.get(livy_state, JobState.RUNNING)
        error = ""
        if state in (JobState.FAILED, JobState.CANCELED):
            errors = [e.message for e in batch.errors or () if e.message]
            error = "; ".join(errors) or f"Livy says {livy_state}, {result}"
        progress = {"state": livy_state, "livy_id": batch.id}
        return JobStatus(batch.name, state, self.link(batch), error, progress)

    def link(self, batch: Any) -> str:
        """The batch in Synapse Studio."""
        return (
            f"https://web.azuresynapse.net/monitoring/sparkapplication/{batch.name}"
            f"?workspaceName={self.workspace}&livyId={batch.id}&sparkPoolName={self.pool}"
        )

    @property
    def _client(self) -> SparkClient:
        return _client(self.workspace, self.pool)

    def _all(self) -> Iterator[Any]:
        first = 0
        for _ in range(MOST_PAGES):
            page = self._client.spark_batch.get_spark_batch_jobs(
                from_parameter=first, size=PAGE, detailed=True, **TIMEOUTS
            )
            batches = page.sessions or []
            yield from batches
            first += len(batches)
            if not batches or first >= int(page.total or 0):
                return


@cache
def _client(workspace: str, pool: str) -> SparkClient:
    from azure.synapse.spark import SparkClient

    endpoint = f"https://{workspace}.dev.azuresynapse.net"
    return SparkClient(azure_credential(), endpoint, pool, **client_options())
