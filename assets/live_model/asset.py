"""Stage 5: the model table in the pool, its live version, and how people undo a promotion."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from assets.events import latest_data_version, latest_metadata
from assets.failures import shown_to_people
from assets.limits import POOL_WRITER, RETRY
from assets.metadata import picture, stopwatch, table_preview, typed_schema
from assets.waiting import pool_is_online
from bikecast.core.code_version import code_version
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.sql_pool.port import SqlPool, SqlPoolPower

_CODE = (
    "assets/live_model/asset.py",
    "assets/live_model/decision.py",
    "assets/live_model/comparison.py",
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
        group_name="serving",
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
        from assets.live_model.decision import (
            CODE_VERSION,
            DATA_VERSION,
            Decision,
            decide,
            make_live,
            reconcile_alias,
            registered,
            rollback_target,
        )
        from assets.plots import segments_plot
        from resources.sql_pool.model_table import (
            Change,
            ensure_tables,
            keep_champion,
            live_model,
            published_versions,
        )

        if not pool_is_online(context, sql_pool_power):
            return
        seconds = stopwatch()
        with shown_to_people():
            ensure_tables(sql_pool, spec)
            reconcile_alias(registry, sql_pool, spec)
            version: object
            if config.rollback:
                before, version = rollback_target(sql_pool, spec, config.version)
                decision = Decision("rollback", f"back from version {before} to version {version}")
            else:
                version = config.version or latest_metadata(
                    context.instance, spec.model_table, "version"
                )
            if not isinstance(version, int):
                raise dg.Failure(f"No model is registered yet: materialize {spec.model_table}.")
            candidate = registered(registry, spec, version)
            if not config.rollback:
                decision = decide(
                    candidate,
                    registry,
                    sql_pool,
                    lake,
                    spec,
                    data_version=latest_data_version(context.instance, spec.training_table),
                    force=config.force or always_promote,
                )
            changed = False
            if decision.action is not None:
                change = Change(
                    action=decision.action,
                    actor=context.run.tags.get(ACTOR_TAG, "dagster"),
                    reason=decision.reason,
                    run_id=context.run.run_id,
                    data_version=candidate.tags.get(DATA_VERSION, ""),
                    code_version=candidate.tags.get(CODE_VERSION, ""),
                )
                before_live = live_model(sql_pool, spec)
                if decision.action == "keep" and before_live is not None:
                    keep_champion(
                        sql_pool, spec, live=before_live.version, candidate=version, why=change
                    )
                else:
                    changed = make_live(candidate, registry, sql_pool, spec, change)
            live = live_model(sql_pool, spec)
            published = published_versions(sql_pool, spec)
        if live is None:
            raise dg.Failure(f"No version is live in {spec.schema}.{spec.model_table}.")
        found = decision.comparison
        rows = [vars(segment) for segment in found.segments] if found else []
        metadata: dict[str, Any] = {
            "dagster/table_name": f"{spec.schema}.{spec.model_table}",
            "dagster/row_count": len(published.rows),
            "dagster/column_schema": typed_schema({c.name: c.sql_type for c in published.columns}),
            "preview": dg.MetadataValue.md(table_preview(published.as_dicts())),
            "version": live.version,
            "digest": live.digest,
            "candidate": version,
            "decision": decision.action or "nothing changes",
            "reason": decision.reason,
            "changed": changed,
        }
        if found and rows:
            metadata["segments"] = dg.MetadataValue.md(table_preview(rows, limit=len(rows)))
            metadata["comparison"] = picture(
                segments_plot(spec, found, live.version), "Champion and challenger"
            )
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(live.digest),
            metadata={**metadata, "seconds": seconds()},
        )

    return [model_table]
