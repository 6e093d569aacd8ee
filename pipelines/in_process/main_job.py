"""The main job in this process: run to the submission, wait for the training, finish."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import dagster as dg

from assets.live_model.asset import ACTOR_TAG
from assets.model_metadata import KINDS
from assets.waiting import JOB_TAG
from bikecast.core.errors import BikecastError
from bikecast.core.locks import exclusive
from bikecast.core.spec import ModelSpec
from bikecast.core.training import TrainingResult
from pipelines.environments import Resources
from pipelines.home import Home
from pipelines.in_process.dead_runs import PROCESS_TAG, clean_up_dead_runs, this_process
from pipelines.in_process.orphan_jobs import clean_up_orphan_jobs
from pipelines.in_process.run_events import Record, Watcher, failure, hear
from pipelines.installation import Installation
from pipelines.jobs import FINISH_TRAINING, ROLLBACK, rollback_config
from resources.automl.port import AutoML
from resources.registry.port import ModelVersion

POLL_SECONDS = 0.2
#: Predictions that a run hands over; there may be millions.
MOST_PREDICTIONS = 1000
#: The watcher shows what people should see; the event log has everything.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """What the main job made: predictions in row order, the models, the training, the times.

    `predictions` has the first MOST_PREDICTIONS of the `prediction_rows` that were stored.
    `model` is the live version that made the predictions, `training` what its training left, or
    None where that is gone. `candidate` is the version of this run's training, and `decision` says
    why it is live or not. `seconds` has the stages, the `rest` (start, checks, Dagster) and their
    sum, the `total`.
    """

    predictions: list[dict[str, object]]
    prediction_rows: int
    model: ModelVersion
    training: TrainingResult | None
    candidate: ModelVersion
    candidate_training: TrainingResult
    decision: str
    trained: bool
    seconds: Mapping[str, float]
    warnings: list[str]
    run_ids: list[str]

    @property
    def leaderboard(self) -> list[dict[str, object]]:
        """The trials of `model`, best first; empty where its training is gone."""
        return self.training.leaderboard if self.training else []

    @property
    def scores(self) -> Mapping[str, Mapping[str, float] | None]:
        """The scores of `model` by kind; from the registry where its training is gone."""
        if self.training is not None:
            return self.training.scores
        flat = self.model.scores.items()
        return {
            split: {k.removeprefix(f"{split}_"): v for k, v in flat if k.startswith(f"{split}_")}
            or None
            for split in KINDS
        }


@contextmanager
def sole_run(home: Home, watcher: Watcher) -> Iterator[None]:
    """Hold the home for one main job; another one waits as long as that one works.

    Raises BikecastError where it does nothing any more. A killed holder lets go by itself.
    """
    waiting = "another `bikecast run` uses this home; waiting for it to end"
    with exclusive(home.root / "run.lock", on_wait=lambda: watcher.warning(waiting)):
        yield


def run_main_job(
    here: Installation,
    spec: ModelSpec,
    *,
    run_config: Mapping[str, object],
    watcher: Watcher,
    started: float | None = None,
    promote: bool = False,
) -> Outcome:
    """Run everything, wait for the training where it still runs, then finish.

    This runs inside of `checked_files`. `started` is when the whole began, by perf_counter;
    `promote` makes the model live without a comparison.
    Raises BikecastError (InvalidInput for bad input) with the failed step's own text.
    """
    start = time.perf_counter() if started is None else started
    record = Record()
    automl = here.resources.automl
    clean_up_dead_runs(here.instance)
    clean_up_orphan_jobs(here.instance, spec, automl)
    promotion = {f"{spec.model_table}_table": {"config": {"force": True}}} if promote else {}
    first = {"ops": {**cast("Mapping[str, object]", run_config.get("ops", {})), **promotion}}
    execute_job(here, spec.name, {**run_config, **first}, {}, record, watcher)
    submission = record.metadata[spec.run_asset]
    job_id = str(submission["job_id"])
    if spec.predictions_table not in record.metadata:
        _wait(automl, job_id, spec.run_asset, record, watcher)
        finish = {spec.model_table: {"config": {"job_id": job_id}}, **promotion}
        job = spec.named(FINISH_TRAINING)
        execute_job(here, job, {"ops": finish}, {JOB_TAG: job_id}, record, watcher)
    total = time.perf_counter() - start
    record.seconds["rest"] = round(max(0.0, total - sum(record.seconds.values())), 3)
    record.seconds["total"] = round(total, 3)
    trained = submission["submission"] != "unchanged"
    return _outcome(spec, here.resources, record, job_id, trained=trained)


def run_rollback(
    here: Installation, spec: ModelSpec, watcher: Watcher, *, version: int | None, actor: str
) -> Mapping[str, object]:
    """Run the rollback job here; returns the metadata of the model table's materialization.

    Raises InvalidInput where there is no such version or nothing to go back to.
    """
    clean_up_dead_runs(here.instance)
    record, config = Record(), rollback_config(spec, version)
    execute_job(here, spec.named(ROLLBACK), config, {ACTOR_TAG: actor}, record, watcher)
    return record.metadata[f"{spec.model_table}_table"]


def execute_job(
    here: Installation,
    job: str,
    run_config: Mapping[str, object],
    tags: Mapping[str, str],
    record: Record,
    watcher: Watcher,
    *,
    assets: Sequence[dg.AssetKey] | None = None,
) -> None:
    """Run one job here, or these assets of it; raises the error of its first failed step."""
    run_id = str(uuid.uuid4())
    record.run_ids.append(run_id)
    here.instance.add_event_listener(run_id, lambda entry: hear(entry, record, watcher))
    result = here.defs.resolve_job_def(job).execute_in_process(
        run_config={**_QUIET, **run_config},
        instance=here.instance,
        run_id=run_id,
        tags={PROCESS_TAG: this_process(), **tags},
        asset_selection=assets,
        raise_on_error=False,
    )
    if not result.success:
        raise failure(result)


def _wait(automl: AutoML, job_id: str, stage: str, record: Record, watcher: Watcher) -> None:
    """Poll the training job until it has ended."""
    start = time.perf_counter()
    watcher.stage_started(f"{stage}: training")
    while True:
        status = automl.status(job_id)
        watcher.training(status)
        if status.state.is_terminal:
            break
        time.sleep(POLL_SECONDS)
    seconds = round(time.perf_counter() - start, 3)
    record.seconds["training"] = seconds
    watcher.stage_ended(f"{stage}: training", seconds, str(status.state))


def _outcome(
    spec: ModelSpec, resources: Resources, record: Record, job_id: str, *, trained: bool
) -> Outcome:
    from resources.sql_pool.deployment import saved_predictions

    promotion = record.metadata[f"{spec.model_table}_table"]
    versions = {entry.version: entry for entry in resources.registry.versions(spec.model_name)}
    model = versions[int(str(promotion["version"]))]
    candidate_training = resources.automl.result(job_id)
    training: TrainingResult | None = candidate_training
    if model.job_id != job_id:
        try:
            training = resources.automl.result(model.job_id)
        except BikecastError:  # an old job's folder may be gone; the model needs it no more
            training = None
    predictions = saved_predictions(resources.sql_pool, spec, limit=MOST_PREDICTIONS)
    scored = record.metadata.get(spec.predictions_table, {})
    return Outcome(
        predictions=predictions,
        prediction_rows=int(str(scored.get("dagster/row_count", len(predictions)))),
        model=model,
        training=training,
        candidate=versions[int(str(promotion["candidate"]))],
        candidate_training=candidate_training,
        decision=str(promotion["reason"]),
        trained=trained,
        seconds=record.seconds,
        warnings=record.warnings,
        run_ids=record.run_ids,
    )
