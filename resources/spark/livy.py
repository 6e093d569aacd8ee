"""Livy batches of a Synapse Spark pool: found by name, submitted, and their states."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.redaction import redacted
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
#: Livy gives 20 batches a page at most, oldest first; its `total` is the number on the page.
PAGE = 20
#: So often the list is read again from further ahead because it became shorter meanwhile; a list
#: of a million batches is halved 20 times.
_MOST_REREADS = 40


@dataclass(frozen=True)
class ListEnd:
    """The end of a pool's list: index and id of its newest batch. The default is an empty list's.

    Old batches leave the list in time, so the index may be too high later.
    """

    index: int = 0
    newest: int = -1


@dataclass(frozen=True)
class Batches:
    """The batches of one pool."""

    workspace: str
    pool: str
    workspace_id: str = ""
    """Resource id of the workspace, by which Synapse Studio finds it; else it goes by its name."""

    def find(self, name: str, since: ListEnd = ListEnd()) -> list[Any]:
        """The batches of a name that are newer than `since`, newest first."""
        return self.search(name, since)[0]

    def search(self, name: str, since: ListEnd = ListEnd()) -> tuple[list[Any], ListEnd]:
        """The batches of a name that are newer than `since`, newest first; and the list's end.

        One request for each 19 batches that are newer.
        """
        batches: list[Any] = []
        end = since
        for index, batch in self._newer(since):
            end = ListEnd(index, int(batch.id))
            if batch.name == name:
                batches.insert(0, batch)
        return batches, end

    def unfinished(self) -> list[Any]:
        """All batches that wait or run, oldest first; one request for each 19 of the list."""
        return [batch for _, batch in self._newer(ListEnd()) if not _state(batch).is_terminal]

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
        state = _state(batch)
        error = ""
        if state in (JobState.FAILED, JobState.CANCELED):
            errors = [e.message for e in batch.errors or () if e.message]
            error = failure_reason(batch.log_lines or ()) or redacted("; ".join(errors))
            error = error or f"Livy says {livy_state}, {result}"
        progress = {"state": livy_state, "livy_id": batch.id}
        return JobStatus(batch.name, state, self.link(batch), error, progress)

    def link(self, batch: Any) -> str:
        """The batch in Synapse Studio."""
        where = f"workspaceName={self.workspace}"
        if self.workspace_id:
            where = f"workspace={quote(self.workspace_id, safe='')}"
        return (
            f"https://web.azuresynapse.net/monitoring/sparkapplication/{batch.name}"
            f"?{where}&livyId={batch.id}&sparkPoolName={self.pool}"
        )

    @property
    def _client(self) -> SparkClient:
        return client(self.workspace, self.pool)

    def _newer(self, since: ListEnd) -> Iterator[tuple[int, Any]]:
        """Index and batch of all that are newer than an earlier end of the list, oldest first."""
        first, last, end, rereads = since.index, since.newest, -1, 0
        while True:
            page = self._page(first)
            while first and (not page or int(page[0].id) > last) and rereads < _MOST_REREADS:
                # The list has become shorter: the last batch that was seen is further ahead.
                first, rereads = first // 2, rereads + 1
                page = self._page(first)
            for index, batch in enumerate(page, start=first):
                if int(batch.id) > last:
                    yield index, batch
            if len(page) < PAGE or int(page[-1].id) == end:
                return
            # Pages share one batch, which shows that none between them is left out.
            end = int(page[-1].id)
            first, last = first + len(page) - 1, max(last, end)

    def _page(self, first: int) -> list[Any]:
        page = self._client.spark_batch.get_spark_batch_jobs(
            from_parameter=first, size=PAGE, detailed=True, **TIMEOUTS
        )
        return list(page.sessions or ())


def _state(batch: Any) -> JobState:
    """By Livy's result where it is certain, else by its state; an unknown one still runs."""
    return RESULTS.get(str(batch.result)) or STATES.get(str(batch.state), JobState.RUNNING)


#: The line that ends a traceback of Python, by its exception's name: a builtin, or one of a module
#: with a message; and an error with its message anywhere in a line.
_TRACEBACK_END = re.compile(
    r"(?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Group|Interrupt|Iteration|Warning)(?:: .*)?"
    r"|(?:[a-z_]\w*\.)+[A-Z]\w*: .*"
)
_ERROR = re.compile(r"(?<![\w$.])[A-Za-z_][\w$.]*(?:Error|Exception): .*")
#: So many characters of a reason are shown.
_LONGEST_REASON = 500


def failure_reason(log: Sequence[str]) -> str:
    """Why a batch failed, from the lines of its driver, without secrets; empty where they do not.

    The last line of the last Python traceback, else the last error in the lines: Livy keeps the
    log's end only, so that a traceback may have lost its head.
    """
    lines = "\n".join(log).splitlines()
    heads = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent call")]
    for number in range(heads[-1] + 1, len(lines)) if heads else ():
        if _TRACEBACK_END.fullmatch(lines[number]):
            # Py4J says on the next line what the JVM raised.
            more = [line for line in lines[number + 1 : number + 2] if line.startswith(": ")]
            return redacted("".join([lines[number], *more]))[:_LONGEST_REASON]
    errors = [match[0] for line in lines if (match := _ERROR.search(line))]
    return redacted(errors[-1])[:_LONGEST_REASON] if errors else ""


@cache
def client(workspace: str, pool: str) -> SparkClient:
    """The client of a pool, one a process. Nothing is contacted here."""
    from azure.synapse.spark import SparkClient

    endpoint = f"https://{workspace}.dev.azuresynapse.net"
    return SparkClient(azure_credential(), endpoint, pool, **client_options())
