"""Estimates in the assets: the limit before something starts, the actual beside the estimate."""

from __future__ import annotations

import time
from collections.abc import Callable

import dagster as dg

from assets.events import submissions
from assets.metadata import table_preview
from assets.run_files import file_of_run
from assets.waiting import JOB_ID, WAITS_FOR, waits
from bikecast.core.jobs import Awaited
from bikecast.core.spec import ModelSpec
from resources.costs.port import CostItem, Costs, refuse_beyond_limit
from resources.lake.port import Lake, SourceFiles
from resources.lake.raw_files import digest_of

COST, MINUTES = "estimated_cost", "estimated_minutes"


def training_part(costs: Costs, spec: ModelSpec, seconds: float) -> CostItem:
    """The training of a run."""
    return costs.training(seconds / 60, spec.training.max_concurrent_trials)


def check_limit(costs: Costs, spec: ModelSpec, seconds: float) -> None:
    """Raise InvalidInput where a run that makes everything new may cost more than the limit."""
    training = training_part(costs, spec, seconds)
    refuse_beyond_limit(costs, [costs.spark(), training, costs.sql_pool()])


def check_new_data(
    context: dg.AssetExecutionContext,
    spec: ModelSpec,
    costs: Costs,
    lake: Lake,
    sources: SourceFiles,
) -> None:
    """Check the limit where this run also has the training CSV and brings another one.

    Every file asset asks, so that no branch of a run starts anything that the other refuses.
    Raises InvalidInput.
    """
    if costs.limit is None:
        return
    with file_of_run(context, sources, spec.source_asset, spec.source_file) as fetched:
        stored = lake.stat(spec.source_file)
        if fetched and (stored is None or stored.digest != digest_of(fetched)):
            check_limit(costs, spec, spec.training.max_training_hours * 3600)


def estimate(costs: Costs, item: CostItem) -> dict[str, dg.MetadataValue | float]:
    """An estimate as metadata; nothing where nothing costs anything."""
    if not costs.currency:
        return {}
    return {COST: round(item.cost, 2), MINUTES: item.minutes}


def actual_training(
    instance: dg.DagsterInstance, spec: ModelSpec, job_id: str, costs: Costs
) -> dict[str, dg.MetadataValue | float]:
    """The training's time from its submission until now, and what it cost, beside the estimate."""
    started = [timestamp for timestamp, _ in submissions(instance, spec.run_asset, job_id)]
    nodes = spec.training.max_concurrent_trials
    expected = training_part(costs, spec, spec.training.max_training_hours * 3600)
    return _beside(
        costs, started, expected, lambda minutes: costs.training(minutes, nodes, spent=True)
    )


def actual_spark(
    instance: dg.DagsterInstance, spec: ModelSpec, job_id: str | None, costs: Costs
) -> dict[str, dg.MetadataValue | float]:
    """The batch's time from its submission until now, and what it cost, beside the estimate."""
    if job_id is None:
        return {}
    started = waits(instance, spec.training_table, JOB_ID, job_id, limit=100)
    return _beside(costs, started, costs.spark(), costs.spark)


def actual_sql_pool(
    instance: dg.DagsterInstance, spec: ModelSpec, costs: Costs
) -> dict[str, dg.MetadataValue | float]:
    """The time since the first wait for the pool after the last predictions, and its cost.

    Empty where nothing had to wait: the pool was online, and is not the run's to pay.
    """
    before = instance.get_latest_materialization_event(dg.AssetKey(spec.predictions_table))
    waiting = (spec.scoring_table, f"{spec.model_table}_table", spec.predictions_table)
    started = [
        timestamp
        for name in waiting
        for timestamp in waits(instance, name, WAITS_FOR, Awaited.SQL_POOL, limit=50)
        if before is None or timestamp > before.timestamp
    ]
    return _beside(costs, started, costs.sql_pool(), costs.sql_pool)


def _beside(
    costs: Costs,
    started: list[float],
    expected: CostItem,
    spent: Callable[[float], CostItem],
) -> dict[str, dg.MetadataValue | float]:
    if not costs.currency or not started:
        return {}
    minutes = (time.time() - min(started)) / 60
    actual = spent(minutes)
    rows = [
        {"": "estimate", "minutes": expected.minutes, costs.currency: round(expected.cost, 2)},
        {"": "actual", "minutes": round(minutes, 1), costs.currency: round(actual.cost, 2)},
    ]
    return {
        "cost": round(actual.cost, 2),
        "cost_beside_estimate": dg.MetadataValue.md(
            f"{table_preview(rows)}\n\n{actual.basis}; by the prices of "
            "`bikecast plan`, not Azure's bill."
        ),
    }
