"""The main job in this process: run to the submission, wait for the training, finish."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import cast

import dagster as dg

from assets.live_model.asset import ACTOR_TAG
from assets.waiting import JOB_TAG
from bikecast.core.spec import ModelSpec
from pipelines.in_process.dead_runs import PROCESS_TAG, clean_up_dead_runs, this_process
from pipelines.in_process.orphan_jobs import clean_up_orphan_jobs
from pipelines.in_process.outcome import Outcome, Record, outcome_of
from pipelines.in_process.run_events import failure, hear
from pipelines.in_process.watcher import Watcher
from pipelines.installation import Installation
from pipelines.jobs import FINISH_TRAINING, ROLLBACK, rollback_config
from resources.automl.port import AutoML

POLL_SECONDS = 0.2
#: The watcher shows what people should see; the event log has everything.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


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
    return outcome_of(spec, here.resources, record, job_id, trained=trained)


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
