"""Jobs of this project as Livy batches of a Synapse Spark pool."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobStatus
from resources.azure.job_logs import say_log_is_missing, show_log
from resources.azure.refusals import refused_by_azure
from resources.spark.livy import Batches
from resources.spark.remote_jobs import FOLDER, RemoteJobs
from resources.spark.shipping import Code
from resources.spark.submissions import Submissions


@dataclass(frozen=True)
class BatchJobs(RemoteJobs):
    """The jobs of one Spark pool by name; `resources.spark.submissions` submits each once."""

    batches: Batches
    executors: int
    cores: int
    """Cores of the driver and of each executor; `memory` likewise, such as 28g."""
    memory: str
    lag_seconds: float
    """See `Submissions`, as for `limit_seconds`."""
    limit_seconds: float
    lost: ClassVar[str] = "Livy does not list it any more"

    def status(self, name: str) -> JobStatus:
        """Poll a batch; an unknown name is NotFound.

        A batch over its limit, and twins of one name, are canceled.
        Raises BikecastError where Synapse refuses.
        """
        with self.refused():
            return self._submissions.status(name)

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

    def _submitted(self, name: str, code: Code, arguments: Sequence[str]) -> JobStatus:
        main, modules = f"{FOLDER}/code/{code.digest}.py", f"{FOLDER}/code/{code.digest}.zip"
        self._write(main, code.main)
        self._write(modules, code.modules)
        submit = partial(
            self.batches.submit,
            name,
            file=self.lake.url(main),
            modules=self.lake.url(modules),
            arguments=arguments,
            executors=self.executors,
            cores=self.cores,
            memory=self.memory,
        )
        return self._submissions.submit(name, submit)

    def _canceled(self, name: str) -> JobStatus:
        return self._submissions.cancel(name)

    @property
    def _submissions(self) -> Submissions:
        return Submissions(self.batches, self.lake, FOLDER, self.lag_seconds, self.limit_seconds)
