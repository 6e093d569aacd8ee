"""Stage 5: the model table in the pool, its live version, and how people undo a promotion."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from assets.events import latest_data_version, latest_metadata
from assets.failures import shown_to_people
from assets.limits import POOL_WRITER, RETRY
from assets.live_model.comparison import Comparison
from assets.live_model.decision import Decision
from assets.live_model.live_model import LiveModel
from assets.metadata import picture, stopwatch, table_preview
from assets.plots import paired_bars_plot
from assets.table_columns import typed_schema
from assets.waiting import pool_is_online
from bikecast.core.code_version import code_version
from bikecast.core.spec import ModelSpec
from bikecast.core.sql import ResultSet
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.sql_pool.model_table import PUBLISHED_TYPES, LiveVersion, published_versions
from resources.sql_pool.port import SqlPool, SqlPoolPower

_CODE = (
    "assets/live_model",
    "resources/sql_pool/model_table.py",
)
ACTOR_TAG = "bikecast/actor"


class PromotionConfig(dg.Config):
    """What this run does with the live version."""

    version: int | None = Field(
        None, description="Version. Empty: the last registered one; for a rollback the one before."
    )
    force: bool = Field(False, description="Make it live without comparing it with the champion.")
    rollback: bool = Field(False, description="Go back to a version instead of promoting one.")


def promotion_assets(spec: ModelSpec, *, always_promote: bool = False) -> list[dg.AssetsDefinition]:
    """The model table of a spec.

    `always_promote` makes every new version live, without a comparison.
    """

    @dg.asset(
        name=f"{spec.model_table}_table",
        deps=[spec.model_table],
        output_required=False,
        group_name=spec.named("serving"),
        kinds={"sql", "onnx"},
        pool=POOL_WRITER,
        retry_policy=RETRY,
        owners=list(spec.owners),
        code_version=code_version(*_CODE),
        description=f"`{spec.schema}.{spec.model_table}` in the pool: versions, one of them live. "
        "A new version becomes live only if it is better than the live one.",
    )
    def model_table(
        context: dg.AssetExecutionContext,
        config: PromotionConfig,
        lake: dg.ResourceParam[Lake],
        registry: dg.ResourceParam[Registry],
        sql_pool: dg.ResourceParam[SqlPool],
        sql_pool_power: dg.ResourceParam[SqlPoolPower],
    ) -> Iterator[dg.MaterializeResult]:
        if not pool_is_online(context, sql_pool_power):
            return
        seconds = stopwatch()
        model = LiveModel(registry, sql_pool, lake, spec)
        by = {"actor": context.run.tags.get(ACTOR_TAG, "dagster"), "run_id": context.run.run_id}
        with shown_to_people():
            model.prepare()
            if config.rollback:
                decision = model.roll_back(config.version, **by)
            else:
                decision = model.decide(
                    config.version or _last_registered(context.instance, spec),
                    data_version=latest_data_version(context.instance, spec.training_table),
                    force=config.force or always_promote,
                )
                decision = model.change(decision, **by)
            live, published = model.current(), published_versions(sql_pool, spec)
        if live is None:
            raise dg.Failure(f"No version is live in {spec.schema}.{spec.model_table}.")
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(live.digest),
            metadata={**_metadata(spec, decision, live, published), "seconds": seconds()},
        )

    return [model_table]


def _last_registered(instance: dg.DagsterInstance, spec: ModelSpec) -> int:
    version = latest_metadata(instance, spec.model_table, "version")
    if not isinstance(version, int):
        raise dg.Failure(f"No model is registered yet: materialize {spec.model_table}.")
    return version


def _metadata(
    spec: ModelSpec, decision: Decision, live: LiveVersion, published: ResultSet
) -> dict[str, Any]:
    """The versions of the table, what was decided, and the comparison where there was one."""
    metadata: dict[str, Any] = {
        "dagster/table_name": f"{spec.schema}.{spec.model_table}",
        "dagster/row_count": len(published.rows),
        "dagster/column_schema": typed_schema(PUBLISHED_TYPES, spec),
        "preview": dg.MetadataValue.md(table_preview(published.as_dicts())),
        "version": live.version,
        "digest": live.digest,
        "candidate": decision.candidate.version,
        "decision": decision.action or "nothing changes",
        "reason": decision.reason,
        "changed": decision.changed,
    }
    comparison = decision.comparison
    if comparison and comparison.segments:
        rows = [vars(segment) for segment in comparison.segments]
        metadata["segments"] = dg.MetadataValue.md(table_preview(rows, limit=len(rows)))
        plot = _segments_plot(spec, comparison, live.version)
        metadata["comparison"] = picture(plot, "Champion and challenger")
    return metadata


def _segments_plot(spec: ModelSpec, comparison: Comparison, live: int) -> bytes:
    """RMSE of champion and challenger, over all rows and a segment."""
    segments = comparison.segments
    return paired_bars_plot(
        f"Latest {comparison.rows} rows; live now: version {live}",
        f"RMSE, {spec.target.name}",
        ["all", *(f"{each.feature} {each.value}" for each in segments)],
        {
            "champion": [comparison.champion_rmse, *(s.champion_rmse for s in segments)],
            "challenger": [comparison.challenger_rmse, *(s.challenger_rmse for s in segments)],
        },
    )
