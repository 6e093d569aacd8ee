"""The main job in this process: run to the submission, wait for the training, finish."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import dagster as dg
import psutil

from assets.promotion import ACTOR_TAG
from pipelines.environments import Resources
from pipelines.home import Home
from pipelines.jobs import ROLLBACK_JOB, rollback_config
from resources.automl.port import AutoML, TrainingResult
from resources.errors import BikecastError, InvalidInput
from resources.jobs import JobStatus
from resources.lake.sources import FetchedFile
from resources.registry.port import ModelVersion
from resources.spec import ModelSpec

PROCESS_TAG = "bikecast/process"
POLL_SECONDS = 0.2
#: The watcher shows what people should see; the event log has everything.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Watcher(Protocol):
    """Hears how the main job goes on; the command line shows it."""

    def stage_started(self, stage: str) -> None:
        """An asset's step began."""

    def stage_ended(self, stage: str, seconds: float, note: str) -> None:
        """An asset was materialized, or the training job ended."""

    def training(self, status: JobStatus) -> None:
        """The training job was polled."""

    def warning(self, text: str) -> None:
        """A finding or warning of a step."""


@dataclass(frozen=True)
class Outcome:
    """What the main job made: predictions in row order, the models, the training, the times.

    `model` is the live version that made the predictions; `candidate` is the version of this
    run's training, and `decision` says why it is live or not.
    """

    predictions: list[dict[str, object]]
    model: ModelVersion
    candidate: ModelVersion
    decision: str
    result: TrainingResult
    trained: bool
    seconds: Mapping[str, float]
    warnings: list[str]
    run_ids: list[str]


@dataclass
class _Record:
    """What the runs of one main job have told so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    metadata: dict[str, dict[str, object]] = field(default_factory=dict)
    run_ids: list[str] = field(default_factory=list)


@contextmanager
def sole_run(home: Home, watcher: Watcher, timeout: float = 3600) -> Iterator[None]:
    """Hold the home for one main job; another one waits. A killed holder lets go by itself.

    Raises BikecastError where the other one has not ended after `timeout` seconds.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(home.root / "run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        watcher.warning("another `bikecast run` uses this home; waiting for it to end")
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            raise BikecastError(
                f"Another `bikecast run` has used {home.root} for {timeout:.0f} s. "
                "Nothing was started. Wait for it, or set BIKECAST_HOME to another folder."
            ) from None
    try:
        yield
    finally:
        lock.release()


def run_main_job(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    spec: ModelSpec,
    resources: Resources,
    *,
    main_job: str,
    run_config: Mapping[str, object],
    watcher: Watcher,
) -> Outcome:
    """Run everything, wait for the training where it still runs, then finish.

    Raises BikecastError (InvalidInput for bad input) with the failed step's own text.
    """
    from assets.champion import reconcile_alias

    start = time.perf_counter()
    record = _Record()
    with resources.sources.hold(spec.source_file, spec.scoring_file) as files:
        check_files(spec, files)
        clean_up_dead_runs(instance)
        reconcile_alias(resources.registry, resources.sql_pool, spec)
        _execute(defs, instance, main_job, run_config, {}, record, watcher)
    submission = record.metadata[spec.run_asset]
    job_id = str(submission["job_id"])
    if spec.predictions_table not in record.metadata:
        _wait(resources.automl, job_id, spec.run_asset, record, watcher)
        config = {"ops": {spec.model_table: {"config": {"job_id": job_id}}}}
        tags = {"bikecast/job_id": job_id}
        _execute(defs, instance, "finish_training", config, tags, record, watcher)
    record.seconds["total"] = round(time.perf_counter() - start, 3)
    trained = submission["submission"] != "unchanged"
    return _outcome(spec, resources, record, job_id, trained=trained)


def check_files(spec: ModelSpec, files: Mapping[str, FetchedFile]) -> None:
    """Read both files before anything is stored.

    Raises InvalidInput with the problems of all of them.
    """
    from resources.lake.csv_file import read_scoring_csv, read_training_csv

    problems = []
    readers = {spec.source_file: read_training_csv, spec.scoring_file: read_scoring_csv}
    for path, read in readers.items():
        try:
            read(files[path].path, spec, source_name=files[path].origin)
        except InvalidInput as error:
            problems.append(str(error))
    if problems:
        raise InvalidInput("\n".join(problems) + "\nNothing was changed.")


def run_rollback(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    spec: ModelSpec,
    *,
    version: int | None,
    actor: str,
    watcher: Watcher,
) -> Mapping[str, object]:
    """Run the rollback job here; returns the metadata of the model table's materialization.

    Raises InvalidInput where there is no such version or nothing to go back to.
    """
    clean_up_dead_runs(instance)
    record, config = _Record(), rollback_config(spec, version)
    _execute(defs, instance, ROLLBACK_JOB, config, {ACTOR_TAG: actor}, record, watcher)
    return record.metadata[f"{spec.model_table}_table"]


def clean_up_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs whose process was killed as failed, so that none looks alive; returns their ids."""
    dead = dead_runs(instance)
    for run in dead:
        instance.report_run_failed(run, message="The process of this run was killed.")
    return [run.run_id for run in dead]


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that are marked as under way although nothing runs them any more.

    A run of a command names its process. A run that Dagster launched lives no longer than the
    Dagster processes of this home.
    """
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    statuses += [dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.NOT_STARTED]
    unfinished = instance.get_runs(dg.RunsFilter(statuses=statuses))
    owned = [run for run in unfinished if PROCESS_TAG in run.tags]
    launched = [run for run in unfinished if run not in owned and run.status in statuses[:3]]
    dead = [run for run in owned if not _alive(run.tags[PROCESS_TAG])]
    if launched and not dagster_runs_here():
        dead += launched
    return dead


def dagster_runs_here() -> bool:
    """True while a Dagster process that this one did not start uses this DAGSTER_HOME."""
    home = os.environ.get("DAGSTER_HOME")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if process.pid == os.getpid() or not any("dagster" in word for word in words):
                continue
            if process.environ().get("DAGSTER_HOME") == home:
                return True
    return False


def _execute(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    run_config: Mapping[str, object],
    tags: Mapping[str, str],
    record: _Record,
    watcher: Watcher,
) -> None:
    run_id = str(uuid.uuid4())
    record.run_ids.append(run_id)
    instance.add_event_listener(run_id, lambda entry: _hear(entry, record, watcher))
    result = defs.resolve_job_def(job).execute_in_process(
        run_config={**_QUIET, **run_config},
        instance=instance,
        run_id=run_id,
        tags={PROCESS_TAG: _this_process(), **tags},
        raise_on_error=False,
    )
    if not result.success:
        raise _failure(result)


def _hear(entry: dg.EventLogEntry, record: _Record, watcher: Watcher) -> None:
    """Pass one event of the running job on to the record and the watcher."""
    event = entry.dagster_event
    if event is None:
        if int(entry.level) == logging.WARNING:
            _warn(entry.user_message, record, watcher)
    elif event.event_type is dg.DagsterEventType.STEP_START and event.step_key:
        watcher.stage_started(event.step_key)
    elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        if not check.passed:
            for line in (check.description or check.check_name).splitlines():
                _warn(line, record, watcher)
    elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
        materialization = event.step_materialization_data.materialization
        name = materialization.asset_key.to_user_string()
        metadata: dict[str, object] = {k: v.value for k, v in materialization.metadata.items()}
        record.metadata[name] = metadata
        record.seconds[name] = float(str(metadata.get("seconds", 0)))
        watcher.stage_ended(name, record.seconds[name], _note(metadata))


def _warn(text: str, record: _Record, watcher: Watcher) -> None:
    if text not in record.warnings:
        record.warnings.append(text)
        watcher.warning(text)


def _note(metadata: Mapping[str, object]) -> str:
    """What is worth saying of a materialization in half a line."""
    parts = []
    if "dagster/row_count" in metadata:
        parts.append(f"{metadata['dagster/row_count']:,} rows")
    if metadata.get("changed") is False:
        parts.append("unchanged")
    if metadata.get("submission") == "unchanged":
        parts.append("unchanged data, code and settings: nothing to train")
    elif "submission" in metadata:
        parts.append(f"{metadata['submission']} {metadata['job_id']}")
    if "version" in metadata:
        parts.append(f"version {metadata['version']}")
    if "source" in metadata:
        parts.append(str(metadata["source"]))
    return ", ".join(parts)


def _wait(automl: AutoML, job_id: str, stage: str, record: _Record, watcher: Watcher) -> None:
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


def _failure(result: dg.ExecuteInProcessResult) -> BikecastError:
    """The error of a failed run, with the text of its first failed step."""
    for event in result.all_events:
        if event.event_type is not dg.DagsterEventType.STEP_FAILURE:
            continue
        failure = event.step_failure_data
        told = failure.user_failure_data
        if told is not None:
            code = told.metadata.get("exit_code")
            kind = InvalidInput if code is not None and code.value == 2 else BikecastError
            return kind(told.description or "the step failed without a reason")
        error = failure.error
        if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
            raise KeyboardInterrupt
        while error is not None and error.cause is not None:
            error = error.cause
        text = error.message.strip() if error else "no reason given"
        return BikecastError(f"{event.step_key} failed: {text}\nRun {result.run_id} has the trace.")
    return BikecastError(f"run {result.run_id} failed; its log has the reason")


def _outcome(
    spec: ModelSpec, resources: Resources, record: _Record, job_id: str, *, trained: bool
) -> Outcome:
    from resources.sql_pool.deployment import saved_predictions

    promotion = record.metadata[f"{spec.model_table}_table"]
    versions = {entry.version: entry for entry in resources.registry.versions(spec.model_name)}
    return Outcome(
        predictions=saved_predictions(resources.sql_pool, spec),
        model=versions[int(str(promotion["version"]))],
        candidate=versions[int(str(promotion["candidate"]))],
        decision=str(promotion["reason"]),
        result=resources.automl.result(job_id),
        trained=trained,
        seconds=record.seconds,
        warnings=record.warnings,
        run_ids=record.run_ids,
    )


def _this_process() -> str:
    return f"{os.getpid()}:{psutil.Process().create_time():.2f}"


def _alive(owner: str) -> bool:
    """True while the process named `pid:start time` runs."""
    pid, _, started = owner.partition(":")
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == started
    except (psutil.NoSuchProcess, ValueError):
        return False
