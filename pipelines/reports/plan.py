"""What a run would do in the current state, and what that would take and cost."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from assets.costs import training_part
from assets.events import latest_materialization
from assets.training import training_attempt
from assets.training_table import TABLE_CODE
from bikecast.core.code_version import code_version
from bikecast.core.jobs import JobState
from bikecast.core.spec import ModelSpec
from pipelines.environments import Resources
from pipelines.in_process.checked_files import checked_files
from pipelines.reports.durations import duration
from resources.costs.port import CostItem, total
from resources.lake.raw_files import digest_of
from resources.scoring.choice import ChosenScoring

CODE_TAG, INPUT_TAG = "dagster/code_version", "dagster/input_data_version/"


@dataclass(frozen=True)
class PlannedStep:
    """One asset: what the run does with it, and why."""

    asset: str
    action: str
    why: str


@dataclass(frozen=True)
class Plan:
    """The steps of a run, and the parts of it that cost something, in order."""

    steps: list[PlannedStep]
    costs: list[CostItem]
    currency: str
    limit: float | None

    @property
    def total(self) -> float:
        """The sum of the costs."""
        return total(self.costs)

    @property
    def is_within_limit(self) -> bool:
        """Whether a run may start."""
        return self.limit is None or self.total <= self.limit


def make_plan(
    instance: dg.DagsterInstance,
    spec: ModelSpec,
    resources: Resources,
    *,
    budget_seconds: float,
    retrain: bool = False,
) -> Plan:
    """Look at files, event log, jobs and the pool; nothing is changed or started.

    Raises InvalidInput for a source that a run would refuse, BikecastError where a service does.
    """
    costs, parts = resources.costs, []
    with checked_files(spec, resources.sources):
        source, digest = _file(resources, spec.source_asset, spec.source_file)
        scoring, _ = _file(resources, f"{spec.scoring_table}_file", spec.scoring_file)
    table, is_new = _table(instance, spec, digest)
    if is_new:
        parts.append(costs.spark())
    training, trains = _training(instance, spec, resources, is_new, budget_seconds, retrain)
    if trains:
        parts.append(training_part(costs, spec, budget_seconds))
    pool, resumes = _pool(resources, spec)
    if resumes:
        parts.append(costs.sql_pool())
    version = (
        PlannedStep(spec.model_table, "register", "the model of the new training, then compared")
        if trains
        else _version(spec, resources, training)
    )
    score, on_spark = _score(resources, spec)
    if on_spark:
        parts.append(costs.spark())
    steps = [source, table, training, version, scoring, pool, score]
    return Plan(steps, parts, costs.currency, costs.limit)


def _file(resources: Resources, asset: str, lake_path: str) -> tuple[PlannedStep, str]:
    """Whether the source differs from what the lake has; its digest."""
    stored = resources.lake.stat(lake_path)
    with resources.sources.fetch(lake_path) as fetched:
        digest = digest_of(fetched)
    if stored is not None and stored.digest == digest:
        return PlannedStep(asset, "keep", f"{fetched.origin} is unchanged"), digest
    what = "differs from the lake's file" if stored else "is not in the lake yet"
    return PlannedStep(asset, "store", f"{fetched.origin} {what}"), digest


def _table(instance: dg.DagsterInstance, spec: ModelSpec, digest: str) -> tuple[PlannedStep, bool]:
    """Whether the training table was made from this file by this code."""
    name = spec.training_table
    event = latest_materialization(instance, name)
    if event is None:
        return PlannedStep(name, "prepare", "it was never made"), True
    tags = event.tags or {}
    if tags.get(f"{INPUT_TAG}{spec.source_asset}") != digest:
        return PlannedStep(name, "prepare", "its CSV is another one"), True
    if tags.get(CODE_TAG) != code_version(*TABLE_CODE):
        return PlannedStep(name, "prepare", "the code that makes it has changed"), True
    return PlannedStep(name, "re-use", "CSV and code are unchanged"), False


def _training(
    instance: dg.DagsterInstance,
    spec: ModelSpec,
    resources: Resources,
    is_new: bool,
    seconds: float,
    retrain: bool,
) -> tuple[PlannedStep, bool]:
    """Whether a job would be started."""
    name = spec.run_asset
    longest = f"at most {duration(seconds)}"
    event = latest_materialization(instance, spec.training_table)
    if is_new or event is None:
        why = f"{longest}; not if the table turns out equal"
        return PlannedStep(name, "train", why), True
    data_version = (event.tags or {}).get("dagster/data_version", "")
    attempt = training_attempt(spec, resources.automl, data_version, seconds, retrain=retrain)
    if attempt.status is None:
        again = (
            "asked to train again" if retrain else "data, code or settings are new, or it failed"
        )
        return PlannedStep(name, "train", f"{longest}: {again}"), True
    if attempt.status.state is JobState.COMPLETED:
        return PlannedStep(name, "re-use", f"job {attempt.job_id} is complete"), False
    return PlannedStep(name, "join", f"job {attempt.job_id} is {attempt.status.state}"), False


def _version(spec: ModelSpec, resources: Resources, training: PlannedStep) -> PlannedStep:
    """Whether the model of the re-used job is registered."""
    if training.action == "join":
        return PlannedStep(spec.model_table, "register", "the model of that job, when it has ended")
    for entry in resources.registry.versions(spec.model_name):
        if entry.job_id in training.why.split():
            return PlannedStep(spec.model_table, "re-use", f"version {entry.version}")
    return PlannedStep(spec.model_table, "register", "the job's model is not registered yet")


def _score(resources: Resources, spec: ModelSpec) -> tuple[PlannedStep, bool]:
    """How the rows are scored, and whether that may take a Spark batch."""
    ways = {
        "predict": "by PREDICT in the pool",
        "spark": "on Spark",
        "auto": "by PREDICT, or on Spark where it cannot",
    }
    chosen = resources.scoring
    mode = chosen.mode if isinstance(chosen, ChosenScoring) else "predict"
    why = f"{ways[mode]}, with the model that is live then"
    return PlannedStep(spec.predictions_table, "score", why), mode != "predict"


def _pool(resources: Resources, spec: ModelSpec) -> tuple[PlannedStep, bool]:
    """Whether the pool is resumed for the run, and so paid for by it."""
    status = resources.sql_pool_power.status()
    state = str(status.progress.get("status", status.state))
    if status.state is JobState.COMPLETED:
        return PlannedStep(spec.scoring_table, "load", f"the SQL pool is {state}"), False
    why = f"the SQL pool is {state}: it is resumed, and paused after the run"
    return PlannedStep(spec.scoring_table, "load", why), True
