"""Training jobs as MLflow runs: a parent run for the job, a child run for each trial."""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import InvalidInput
from bikecast.core.sql import text_literal
from bikecast.embedded.mlflow.store import database_path, writing

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

JOB_ID = "bikecast.job_id"
#: Statuses of a trial that count as a failed run; every other one counts as finished.
_FAILED = frozenset({"failed", "error", "crashed", "timeout", "killed", "canceled", "rejected"})
_LONGEST_PARAMETER = 6000
_BATCH = 100
_FORBIDDEN = re.compile(r"[^\w\-. /:]")


def log_training(
    *,
    tracking_uri: str,
    experiment: str,
    job_id: str,
    parameters: Mapping[str, object],
    trials: Sequence[Mapping[str, object]],
    metrics: Mapping[str, object],
    artifacts: Mapping[str, Path],
    tags: Mapping[str, str],
) -> str:
    """Record a finished training job and return the id of its parent run.

    The parent is named by `job_id`; each trial is a child run, named by its key `trial`, whose
    finite numbers are metrics and whose other values are parameters; its key `status` decides
    whether the run finished or failed. `artifacts` maps a name to a local file. Artifacts
    lie in `mlflow-artifacts` beside the database.
    A job that is already recorded is left as it is; one that a kill left half recorded is
    recorded again.
    Raises InvalidInput where an artifact cannot be read, and BikecastError where the store
    cannot be written.
    """
    missing = [str(path) for path in artifacts.values() if not path.is_file()]
    if missing:
        raise InvalidInput(f"no such file: {', '.join(missing)}; {job_id} was not recorded")
    with writing(tracking_uri) as client:
        experiment_id = _experiment(client, tracking_uri, experiment)
        recorded = _runs_of(client, experiment_id, job_id)
        for run in recorded:
            if run.data.tags.get("mlflow.parentRunId") is None and run.info.status == "FINISHED":
                return str(run.info.run_id)
        for run in recorded:
            client.delete_run(run.info.run_id)
        parent: str = client.create_run(
            experiment_id, tags={**tags, JOB_ID: job_id}, run_name=job_id
        ).info.run_id
        _log(client, parent, parameters, metrics)
        for number, trial in enumerate(trials, start=1):
            _log_trial(client, experiment_id, parent, job_id, number, trial)
        for name, path in artifacts.items():
            _log_artifact(client, parent, name, path)
        # Last of all: a finished parent is what says that the job is recorded.
        client.set_terminated(parent, "FINISHED")
        return parent


def _experiment(client: MlflowClient, tracking_uri: str, name: str) -> str:
    existing = client.get_experiment_by_name(name)
    if existing is not None:
        if existing.lifecycle_stage == "deleted":
            client.restore_experiment(existing.experiment_id)
        return str(existing.experiment_id)
    folder = database_path(tracking_uri).parent / "mlflow-artifacts"
    return str(client.create_experiment(name, artifact_location=folder.as_uri()))


def _runs_of(client: MlflowClient, experiment_id: str, job_id: str) -> list[Run]:
    condition = f"tags.`{JOB_ID}` = {text_literal(job_id)}"
    return list(client.search_runs([experiment_id], filter_string=condition, max_results=5000))


def _log_trial(
    client: MlflowClient,
    experiment_id: str,
    parent: str,
    job_id: str,
    number: int,
    trial: Mapping[str, object],
) -> None:
    run_id = client.create_run(
        experiment_id,
        tags={"mlflow.parentRunId": parent, JOB_ID: job_id},
        run_name=str(trial.get("trial", number)),
    ).info.run_id
    numbers = {key: value for key, value in trial.items() if _is_metric(value)}
    others = {key: value for key, value in trial.items() if key not in numbers}
    _log(client, run_id, others, numbers)
    failed = str(trial.get("status", "")).lower() in _FAILED
    client.set_terminated(run_id, "FAILED" if failed else "FINISHED")


def _log(
    client: MlflowClient,
    run_id: str,
    parameters: Mapping[str, object],
    metrics: Mapping[str, object],
) -> None:
    """Record values in one transaction for each hundred, MLflow's limit; None is left out."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    params = [
        Param(_key(key), _text(value)) for key, value in parameters.items() if value is not None
    ]
    points = [
        Metric(_key(key), float(value), now, 0)  # type: ignore[arg-type]
        for key, value in metrics.items()
        if _is_metric(value)
    ]
    for start in range(0, max(len(params), len(points)), _BATCH):
        chosen = slice(start, start + _BATCH)
        client.log_batch(run_id, metrics=points[chosen], params=params[chosen])


def _log_artifact(client: MlflowClient, run_id: str, name: str, path: Path) -> None:
    """Store a file as `name`, which may lack the suffix and may have folders."""
    artifact = PurePosixPath(name)
    if artifact.suffix != path.suffix:
        artifact = artifact.with_name(f"{artifact.name}{path.suffix}")
    folder = None if artifact.parent == PurePosixPath() else str(artifact.parent)
    if artifact.name == path.name:
        client.log_artifact(run_id, str(path), folder)
        return
    # MLflow keeps the file's own name.
    with TemporaryDirectory(prefix="bikecast-") as temporary:
        renamed = Path(temporary) / artifact.name
        shutil.copyfile(path, renamed)
        client.log_artifact(run_id, str(renamed), folder)


def _is_metric(value: object) -> bool:
    """True for a finite number, NumPy's included; a truth value is a parameter."""
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return False
    number: Any = value
    return math.isfinite(float(number))


def _key(name: str) -> str:
    """A name that MLflow accepts: letters, digits, `_-. /:`, not a path that climbs."""
    return _FORBIDDEN.sub("_", name).strip("./ ")[:250] or "value"


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    return text[:_LONGEST_PARAMETER]
