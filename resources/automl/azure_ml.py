"""AutoML as regression jobs of Azure ML."""

from __future__ import annotations

import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import dagster as dg
from pydantic import Field

from bikecast.core.errors import BikecastError, InvalidInput, ModelRejected, first_line
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.redaction import redacted
from bikecast.core.training import TrainingResult
from resources.automl.azure_job import (
    SHORTEST_MINUTES,
    best_child,
    leaderboard,
    regression_job,
)
from resources.automl.port import TrainingRequest
from resources.automl.training_data import stage_training_data
from resources.azure.job_states import job_state
from resources.azure.ml_client import workspace_client
from resources.azure.refusals import refused_by_azure
from resources.azure.run_logs import failed_runs, show_run_logs
from resources.lake.adls import AdlsLake

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

FOLDS = 5
#: Metrics of which less is better.
_LESS_IS_BETTER = ("error", "deviation")


class AzureAutoML(dg.ConfigurableResource):
    """Trains in an Azure ML workspace; implements the port AutoML.

    The job's name is our job id, so a job that was submitted is found again by any process. Its
    training data are a snapshot in the workspace's own blob store, see `training_data`.
    """

    training_code: ClassVar[tuple[str, ...]] = (
        "resources/automl/azure_job.py",
        "resources/automl/azure_ml.py",
        "resources/automl/training_data.py",
    )

    subscription_id: str
    resource_group: str
    workspace: str
    compute: str = Field("", description="A compute cluster's name; empty for serverless compute.")
    lake: AdlsLake
    downloads: str = Field(description="The folder of downloaded results, one folder a job.")
    queue_seconds: float = Field(
        default=7200.0,
        ge=0,
        description="A job older than its time for training and this is canceled and reported.",
    )

    def submit(self, request: TrainingRequest) -> JobStatus:
        """Start the job, or attach to the one of that id; never starts an id twice.

        Azure ML runs no experiment shorter than 15 minutes, so a smaller budget becomes that.
        Raises InvalidInput for a bad budget, BikecastError where Azure ML refuses the job.
        """
        from azure.core.exceptions import ResourceExistsError

        if not request.budget_seconds > 0:
            raise InvalidInput(
                f"the training budget is {request.budget_seconds} s; it must be above 0. "
                "Nothing was started."
            )
        status = self.status(request.job_id)
        if status.state is not JobState.NOT_FOUND:
            return status
        with self._refusing(f"Azure ML did not take the job {request.job_id}"):
            data = stage_training_data(self._client, self.lake, request)
            job = regression_job(request, data, self.compute, folds=FOLDS)
            try:
                return self._status(self._client.jobs.create_or_update(job))
            except ResourceExistsError:
                # Another process was quicker, or the answer to our own request was lost.
                return self.status(request.job_id)

    def status(self, job_id: str) -> JobStatus:
        """Poll one job; an unknown id is NotFound. A job over its own limit is canceled."""
        from azure.core.exceptions import ResourceNotFoundError

        with self._refusing(f"cannot ask for the job {job_id}"):
            try:
                return self._within_limit(self._client.jobs.get(job_id))
            except ResourceNotFoundError:
                return JobStatus(job_id, JobState.NOT_FOUND)

    def cancel(self, job_id: str) -> JobStatus:
        """Ask Azure ML to cancel the job; does not wait until it has."""
        status = self.status(job_id)
        if not status.state.is_terminal:
            with self._refusing(f"cannot cancel the job {job_id}"):
                self._client.jobs.begin_cancel(job_id, polling=False)
            status = self.status(job_id)
        return status

    def result(self, job_id: str) -> TrainingResult:
        """Download the best model of a completed job, check it, and read the leaderboard.

        Raises BikecastError where the job is not complete or left no ONNX model, and
        ModelRejected where the model is not safe to load or ONNX Runtime cannot load it.
        """
        with self._refusing(f"the result of {job_id} cannot be read"):
            return self._result(job_id)

    def _result(self, job_id: str) -> TrainingResult:
        status = self.status(job_id)
        if status.state is not JobState.COMPLETED:
            if status.state is JobState.FAILED:
                runs = failed_runs(self._client, job_id)
                show_run_logs(self._client, job_id, runs, status.link)
            raise BikecastError(
                f"training job {job_id} is {status.state}: {status.error or 'it has no result yet'}"
            )
        job = self._client.jobs.get(job_id)
        children = [c for c in self._client.jobs.list(parent_job_name=job_id) if c is not None]
        metric = str(getattr(job.primary_metric, "value", job.primary_metric))
        less_is_better = any(word in metric.lower() for word in _LESS_IS_BETTER)
        rows = leaderboard(children, less_is_better=less_is_better)
        best, found_by = best_child(job, rows)
        if best is None:
            raise BikecastError(
                f"training job {job_id} is complete, but none of its {len(children)} trials has a "
                f"score or is named the best. See {status.link}"
            )
        show_run_logs(self._client, job_id, [best], status.link)
        model_path, digest = self._model(job_id, best, status.link)
        score = next((row["score"] for row in rows if row["job_id"] == best), None)
        cv = None if score is None else {_short(metric): float(str(score))}
        return TrainingResult(
            job_id=job_id,
            model_path=model_path,
            digest=digest,
            leaderboard=rows,
            scores={"cv": cv, "holdout": None, "time_ordered": None},
            plots={},
            diagnostics={"best_trial": best, "best_trial_found_by": found_by, "metric": metric},
        )

    @property
    def _client(self) -> MLClient:
        return workspace_client(self.subscription_id, self.resource_group, self.workspace)

    def _refusing(self, what: str) -> AbstractContextManager[None]:
        """Errors of the SDK in words, with the role that is missing."""
        scope = (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )
        return refused_by_azure(what, role="AzureML Data Scientist", scope=scope)

    def _within_limit(self, job: Any) -> JobStatus:
        """The job's status; one that is too old is canceled, and counts as such at once."""
        status = self._status(job)
        created = getattr(job.creation_context, "created_at", None)
        allowed = float(getattr(job.limits, "timeout_minutes", None) or SHORTEST_MINUTES) * 60
        limit = allowed + self.queue_seconds
        if created is None or time.time() - created.timestamp() <= limit:
            return status
        why = f"it was not done {limit:.0f} s after its submission and was canceled"
        if status.state is JobState.CANCELED:
            return replace(status, error=f"{status.error}; {why}")
        if status.state.is_terminal:
            return status
        if status.progress["state"] != "CancelRequested":
            self._client.jobs.begin_cancel(job.name, polling=False)
        return replace(status, state=JobState.CANCELED, error=why)

    def _status(self, job: Any) -> JobStatus:
        name = str(getattr(job.status, "value", job.status))
        state = job_state(job.name, name)
        error = ""
        if state in (JobState.FAILED, JobState.CANCELED):
            error = _reason(job, state)
        return JobStatus(
            job.name, state, link=job.studio_url or "", error=error, progress={"state": name}
        )

    def _model(self, job_id: str, child: str, link: str) -> tuple[Path, str]:
        """The checked ONNX file of a trial on this machine, and its digest."""
        from bikecast.core.files import replaced_file

        target = Path(self.downloads).absolute() / job_id / "model.onnx"
        with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
            self._client.jobs.download(child, download_path=folder)
            file = _onnx_file(Path(folder))
            if file is None:
                names = sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*.*"))
                raise BikecastError(
                    f"trial {child} of {job_id} has no ONNX file; it has {', '.join(names[:20])}. "
                    f"Nothing was registered. See {link}"
                )
            data = file.read_bytes()
        digest = _checked(data, child, link)
        with replaced_file(target) as temporary:
            temporary.write_bytes(data)
        return target, digest


def _checked(model: bytes, child: str, link: str) -> str:
    """The digest of a trial's model that is safe to load, and that ONNX Runtime loads here.

    Raises ModelRejected with what people can do.
    """
    from bikecast.core.onnx.contract import inspect_model
    from bikecast.core.onnx.session import one_thread_session

    try:
        digest = inspect_model(model).digest
        one_thread_session(model)
    except Exception as error:  # ONNX Runtime has no base class of its errors
        raise ModelRejected(
            f"the model of trial {child} is refused: {first_line(error)}. To go on without models "
            "of its kind, name the algorithm in `blocked_algorithms` of the training's settings, "
            f"and train again. See {link}"
        ) from error
    return digest


def _onnx_file(folder: Path) -> Path | None:
    """outputs/model.onnx where there is one, else the only ONNX file."""
    files = sorted(folder.rglob("*.onnx"))
    usual = [path for path in files if path.parts[-2:] == ("outputs", "model.onnx")]
    if usual:
        return usual[0]
    return files[0] if len(files) == 1 else None


def _reason(job: Any, state: JobState) -> str:
    """What the job says of its end; Azure ML puts it in one of several places."""
    properties = job.properties or {}
    for name in ("errors", "error", "failure_reason", "message"):
        if properties.get(name):
            return redacted(str(properties[name]))
    return f"Azure ML says {state}; the reason is on {job.studio_url}"


def _short(metric: str) -> str:
    """`spearman` for `spearman_correlation` in any spelling; other metrics keep their name."""
    return "spearman" if metric.lower().startswith("spearman") else metric
