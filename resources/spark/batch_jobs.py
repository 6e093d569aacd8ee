"""Jobs of this project as Livy batches: code and job file up, outcome or error back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import temporary_file
from bikecast.core.jobs import JobStatus
from resources.azure.job_logs import say_log_is_missing, show_log
from resources.azure.refusals import refused_by_azure
from resources.lake.adls import AdlsLake
from resources.spark.livy import Batches
from resources.spark.shipping import Code
from resources.spark.submissions import Submissions

_FOLDER = "jobs/spark"


@dataclass(frozen=True)
class BatchJobs:
    """The jobs of one Spark pool by name; `resources.spark.submissions` submits each once."""

    batches: Batches
    lake: AdlsLake
    executors: int
    cores: int
    """Cores of the driver and of each executor; `memory` likewise, such as 28g."""
    memory: str
    lag_seconds: float
    """See `Submissions`, as for `limit_seconds`."""
    limit_seconds: float

    def start(self, name: str, code: Code, job: dict[str, Any], paths: Sequence[str]) -> JobStatus:
        """Submit a batch of this name.

        Its arguments are the URLs of the file with `job`, of `paths`, and of its result.
        """
        main, modules = f"{_FOLDER}/code/{code.digest}.py", f"{_FOLDER}/code/{code.digest}.zip"
        self._write(main, code.main)
        self._write(modules, code.modules)
        self._write(f"{_FOLDER}/{name}/job.json", json.dumps(job).encode())
        arguments = [f"{_FOLDER}/{name}/job.json", *paths, f"{_FOLDER}/{name}/result"]
        submit = partial(
            self.batches.submit,
            name,
            file=self.lake.url(main),
            modules=self.lake.url(modules),
            arguments=[self.lake.url(path) for path in arguments],
            executors=self.executors,
            cores=self.cores,
            memory=self.memory,
        )
        return self._submissions.submit(name, submit)

    def status(self, name: str) -> JobStatus:
        """Poll a batch; an unknown name is NotFound.

        A batch over its limit, and twins of one name, are canceled.
        Raises BikecastError where Synapse refuses.
        """
        with self.refused():
            return self._submissions.status(name)

    def cancel(self, name: str) -> JobStatus:
        """Ask Livy to end a batch, unless it has ended; its end counts as reported.

        Raises BikecastError where Synapse refuses.
        """
        with self.refused():
            status = self.status(name)
            if not status.state.is_terminal:
                status = self._submissions.cancel(name)
                self._write(_reported(name), b"told\n")
            return status

    def outcome(self, name: str) -> dict[str, Any]:
        """What the batch of a name wrote at its end; BikecastError where it wrote nothing."""
        from deltalake.exceptions import TableNotFoundError

        from resources.lake.tables import read_rows

        try:
            [row] = read_rows(self.lake, f"{_FOLDER}/{name}/result", limit=1)
        except TableNotFoundError as error:
            raise BikecastError(f"Spark batch {name} left no result in the lake") from error
        return dict(json.loads(str(row["outcome"])))

    def raise_once(self, name: str, table: str) -> None:
        """Raise the error of a failed batch, unless an earlier call did."""
        if self.lake.stat(_reported(name)) is None:
            self.raise_failed(name, table)

    def raise_failed(self, name: str, table: str) -> None:
        """Raise the error of a batch that failed, was canceled or is lost."""
        status = self.status(name)
        self.show_log(name)
        try:
            reason = str(self.outcome(name)["error"])
        except BikecastError:
            reason = ""
        self._write(_reported(name), b"told\n")
        error_class = InvalidInput if reason else BikecastError
        why = reason or status.error or "Livy does not list it any more"
        see = f" See {status.link}" if status.link else ""
        raise error_class(
            f"Spark batch {name} is {status.state}: {why}. {table} is unchanged; run again for "
            f"the next attempt.{see}"
        )

    def show_log(self, name: str) -> None:
        """Log what the driver of a batch printed, as far as Livy keeps it; raises nothing."""
        from azure.core.exceptions import AzureError

        try:
            livy_id = self.status(name).progress.get("livy_id")
            batches = [] if livy_id is None else self.batches.get(int(str(livy_id)), name)
        except (AzureError, BikecastError) as error:
            say_log_is_missing(name, error)
            return
        for batch in batches:
            app = batch.app_info or {}
            links = {
                "All of it": self.batches.link(batch),
                "The driver's log": app.get("driverLogUrl"),
                "Spark's UI": app.get("sparkUiUrl"),
            }
            show_log(name, "\n".join(batch.log_lines or ()), links)

    def refused(self, table: str = "") -> AbstractContextManager[None]:
        """Raise BikecastError for any error of an Azure client inside; `table` is unchanged."""
        workspace = self.batches.workspace
        return refused_by_azure(
            f"the Spark pool {self.batches.pool} of {workspace} refuses",
            role="Synapse Compute Operator",
            scope=workspace,
            unchanged=f"{table} is unchanged" if table else "",
        )

    @property
    def _submissions(self) -> Submissions:
        return Submissions(self.batches, self.lake, _FOLDER, self.lag_seconds, self.limit_seconds)

    def _write(self, path: str, content: bytes) -> None:
        with temporary_file(content) as file:
            self.lake.put(path, file)


def _reported(name: str) -> str:
    """The lake path of the mark that a batch's failure was reported."""
    return f"{_FOLDER}/{name}/told"
