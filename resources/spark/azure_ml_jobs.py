"""Jobs of this project as Spark jobs of Azure ML, on an attached pool or on serverless Spark."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.redaction import redacted
from resources.azure.job_logs import say_log_is_missing
from resources.azure.job_states import job_state
from resources.azure.ml_client import workspace_client
from resources.azure.refusals import refused_by_azure
from resources.azure.run_logs import SPARK_LOGS, show_run_logs
from resources.spark.remote_jobs import RemoteJobs
from resources.spark.shipping import Code

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

#: Of the Spark jobs in Azure ML; the trainings have the model's own experiment.
EXPERIMENT = "bikecast-spark"
#: What serverless Spark runs; a pool runs its own.
RUNTIME = "3.5"
_MAIN, _MODULES = "main.py", "modules.zip"


@dataclass(frozen=True)
class AzureMlJobs(RemoteJobs):
    """Spark jobs of one workspace by name; Azure ML itself takes a name once."""

    subscription_id: str
    resource_group: str
    workspace: str
    compute: str
    """The attached pool; empty for serverless Spark on machines of `instance_type`."""
    instance_type: str
    executors: int
    cores: int
    memory: str
    limit_seconds: float
    """A job that is older is canceled."""
    lost: ClassVar[str] = "Azure ML does not know it any more"

    def status(self, name: str) -> JobStatus:
        """Poll a job; an unknown name is NotFound, and one over its limit is canceled."""
        from azure.core.exceptions import ResourceNotFoundError

        with self.refused():
            try:
                job = self._client.jobs.get(name)
            except ResourceNotFoundError:
                return JobStatus(name, JobState.NOT_FOUND)
            return self._within_limit(job)

    def show_log(self, name: str) -> None:
        """Log the end of what the driver printed, as far as Azure ML keeps it; raises nothing."""
        try:
            link = self.status(name).link
        except BikecastError as error:
            say_log_is_missing(name, error)
            return
        show_run_logs(self._client, name, [name], link, folder=SPARK_LOGS)

    def refused(self, table: str = "") -> AbstractContextManager[None]:
        """Raise BikecastError for any error of an Azure client inside; `table` is unchanged."""
        return refused_by_azure(
            f"Azure ML refuses the Spark job on {self.compute or 'serverless Spark'}",
            role="AzureML Data Scientist",
            scope=(
                f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
                f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
            ),
            unchanged=f"{table} is unchanged" if table else "",
        )

    def _submitted(self, name: str, code: Code, arguments: Sequence[str]) -> JobStatus:
        from azure.core.exceptions import ResourceExistsError

        before = self.status(name)
        if before.state is not JobState.NOT_FOUND:
            return before
        with tempfile.TemporaryDirectory(prefix="bikecast-") as temporary:
            # Azure ML keeps a folder by its name and content: the same code is uploaded once.
            folder = Path(temporary) / code.digest
            folder.mkdir()
            (folder / _MAIN).write_bytes(code.main)
            (folder / _MODULES).write_bytes(code.modules)
            try:
                job = self._job(name, str(folder), arguments)
                return _status(self._client.jobs.create_or_update(job))
            except ResourceExistsError:
                # Another process was quicker, or the answer to our own request was lost.
                return self.status(name)

    def _canceled(self, name: str) -> JobStatus:
        self._client.jobs.begin_cancel(name, polling=False)
        return self.status(name)

    @property
    def _client(self) -> MLClient:
        return workspace_client(self.subscription_id, self.resource_group, self.workspace)

    def _job(self, name: str, folder: str, arguments: Sequence[str]) -> Any:
        """The job; it reads and writes the lake as the identity that submits it."""
        from azure.ai.ml import spark
        from azure.ai.ml.entities import UserIdentityConfiguration

        job: dict[str, Any] = {
            "name": name,
            "display_name": name,
            "experiment_name": EXPERIMENT,
            "code": folder,
            "entry": {"file": _MAIN},
            "py_files": [_MODULES],
            "args": shlex.join(arguments),
            "identity": UserIdentityConfiguration(),
            "driver_cores": self.cores,
            "driver_memory": self.memory,
            "executor_cores": self.cores,
            "executor_memory": self.memory,
            "executor_instances": self.executors,
        }
        if self.compute:
            return spark(**job, compute=self.compute)
        machines = {"instance_type": self.instance_type, "runtime_version": RUNTIME}
        return spark(**job, resources=machines)

    def _within_limit(self, job: Any) -> JobStatus:
        status = _status(job)
        created = getattr(job.creation_context, "created_at", None)
        if created is None or time.time() - created.timestamp() <= self.limit_seconds:
            return status
        why = f"it ran longer than its limit of {self.limit_seconds:.0f} s and was canceled"
        if status.state is JobState.CANCELED:
            return replace(status, error=why)
        if status.state.is_terminal:
            return status
        if status.progress["state"] != "CancelRequested":
            self._client.jobs.begin_cancel(job.name, polling=False)
        return replace(status, state=JobState.CANCELED, error=why)


def _status(job: Any) -> JobStatus:
    word = str(getattr(job.status, "value", job.status))
    state = job_state(job.name, word)
    error = ""
    if state in (JobState.FAILED, JobState.CANCELED):
        told = (job.properties or {}).get("errors") or f"Azure ML says {word}"
        error = redacted(str(told))
    return JobStatus(job.name, state, job.studio_url or "", error, {"state": word})
