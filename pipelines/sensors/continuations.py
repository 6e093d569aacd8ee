"""Going on with a run whose assets waited: what is left of it, as one new run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.waiting import CONTINUES_TAG
from bikecast.core.jobs import Awaited
from pipelines.sensors.polling import awaited_job

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

_OWN_TAGS = "bikecast/"
_KEPT_TAGS = ("dagster/max_retries",)


def waiting_assets(
    instance: dg.DagsterInstance, run_id: str, awaited: Awaited, job_id: str | None = None
) -> set[dg.AssetKey]:
    """The assets of a run that wait for a job, or for any job of that kind."""
    observed = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION
    ).records
    assets = set()
    for record in observed:
        job = awaited_job(record.asset_observation, awaited)
        if job is not None and job_id in (None, job) and record.asset_key is not None:
            assets.add(record.asset_key)
    return assets


def what_is_left(
    instance: dg.DagsterInstance,
    run_id: str,
    waiting: Iterable[dg.AssetKey],
    graph: AssetGraph,
) -> set[dg.AssetKey]:
    """The waiting assets of a run, and what it would have made from them.

    An asset that the run left out for another reason as well (a parent that waits for something
    else) is not part of it.
    """
    planned = _assets(instance, run_id, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    done = _assets(instance, run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
    left = set(waiting)
    for key in graph.toposorted_asset_keys:
        if key not in planned or key in done | left:
            continue
        above_in_run = planned & graph.get(key).parent_keys
        if above_in_run & left and above_in_run <= left | done:
            left.add(key)
    return left


def pool_run_key(run: dg.DagsterRun) -> str:
    """The run key of the run that goes on with one that waited for the pool."""
    return f"{run.run_id}-pool"


def continuing_run(
    context: dg.SensorEvaluationContext,
    run: dg.DagsterRun,
    awaited: Awaited,
    job_id: str | None = None,
    *,
    config: Mapping[str, Mapping[str, object]] | None = None,
    tags: Mapping[str, str] | None = None,
) -> dg.RunRequest:
    """The request for a run that makes what is left of another one, with its config and tags.

    `config` is more config by asset name.
    """
    assert context.repository_def is not None  # noqa: S101  # Dagster always gives it
    waiting = waiting_assets(context.instance, run.run_id, awaited, job_id)
    graph = context.repository_def.asset_graph
    keys = sorted(what_is_left(context.instance, run.run_id, waiting, graph))
    names = {key.to_user_string() for key in keys}
    before: Any = run.run_config.get("ops", {})
    ops: dict[str, dict[str, Any]] = {
        name: dict(value) for name, value in before.items() if name in names
    }
    for name, values in (config or {}).items():
        ops[name] = {"config": {**ops.get(name, {}).get("config", {}), **values}}
    kept = {
        name: value
        for name, value in run.tags.items()
        if name.startswith(_OWN_TAGS) or name in _KEPT_TAGS
    }
    return dg.RunRequest(
        run_key=job_id or pool_run_key(run),
        asset_selection=keys,
        run_config={"ops": ops} if ops else {},
        tags={**kept, CONTINUES_TAG: run.run_id, **(tags or {})},
        partition_key=run.tags.get("dagster/partition"),
    )


def _assets(
    instance: dg.DagsterInstance, run_id: str, event_type: dg.DagsterEventType
) -> set[dg.AssetKey]:
    records = instance.get_records_for_run(run_id, of_type=event_type).records
    return {record.asset_key for record in records if record.asset_key is not None}
