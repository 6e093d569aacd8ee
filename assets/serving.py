"""Stages 6 and 7: the rows to score in the SQL pool, the procedure and the predictions."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.checks.blocking import golden_rows, golden_rows_spec
from assets.column_lineage import KEY, loaded, predicted
from assets.costs import actual_sql_pool
from assets.events import DATA_VERSION_TAG, latest_materialization, shown_of
from assets.failures import shown_to_people
from assets.lake import FILE_CODE, PREVIEW
from assets.limits import POOL_WRITER, RETRY
from assets.metadata import picture, stopwatch, table_preview
from assets.plots import forecast_plot
from assets.table_columns import column_schema, typed_schema
from assets.training_plots import recent_targets
from assets.waiting import SPARK_SENSOR, mark_waiting, pool_is_online
from bikecast.core.code_version import code_version
from bikecast.core.jobs import Awaited, JobStatus
from bikecast.core.onnx.contract import model_digest
from bikecast.core.spec import ModelSpec
from resources.costs.port import Costs
from resources.lake.port import Lake
from resources.lake.scoring_rows import scoring_rows
from resources.registry.port import Registry
from resources.scoring.port import Scored, Scoring
from resources.sql_pool.deployment import (
    deploy_procedures,
    load_scoring_table,
    prediction_types,
    returned_types,
)
from resources.sql_pool.port import SqlPool, SqlPoolPower

_DEPLOYMENT = ("assets/serving.py", "resources/sql_pool/deployment.py", "resources/sql_pool/sql")


def serving_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The scoring table, the procedure and the predictions of a spec."""
    return [_scoring_table(spec), _procedure(spec), _predictions(spec)]


def _scoring_table(spec: ModelSpec) -> dg.AssetsDefinition:
    columns = spec.scored_columns

    @dg.asset(
        name=spec.scoring_table,
        deps=[f"{spec.scoring_table}_file"],
        output_required=False,
        group_name=spec.named("serving"),
        kinds={"sql"},
        pool=POOL_WRITER,
        retry_policy=RETRY,
        owners=list(spec.owners),
        code_version=code_version(*_DEPLOYMENT, *FILE_CODE),
        description=f"`{spec.schema}.{spec.scoring_table}` in the pool, loaded by COPY INTO.",
    )
    def scoring_table(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        sql_pool: dg.ResourceParam[SqlPool],
        sql_pool_power: dg.ResourceParam[SqlPoolPower],
    ) -> Iterator[dg.MaterializeResult]:
        if not pool_is_online(context, sql_pool_power):
            return
        seconds = stopwatch()
        with shown_to_people():
            staged = scoring_rows(lake, spec)
            rows = load_scoring_table(sql_pool, spec, url=lake.copy_url(staged.file.path))
            first = staged.dataset.head(PREVIEW).rename_columns([c.name for c in columns])
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(staged.file.digest),
            metadata={
                "dagster/table_name": f"{spec.schema}.{spec.scoring_table}",
                "dagster/row_count": rows,
                "dagster/column_schema": column_schema(columns, spec),
                KEY: loaded(spec, f"{spec.scoring_table}_file"),
                "preview": dg.MetadataValue.md(table_preview(first.to_pylist())),
                "seconds": seconds(),
            },
        )

    return scoring_table


def _procedure(spec: ModelSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.procedure,
        deps=[f"{spec.model_table}_table", spec.scoring_table],
        output_required=False,
        group_name=spec.named("serving"),
        kinds={"sql"},
        pool=POOL_WRITER,
        retry_policy=RETRY,
        owners=list(spec.owners),
        code_version=code_version(*_DEPLOYMENT),
        description=f"`{spec.schema}.{spec.procedure}`: scores the table with T-SQL PREDICT.",
    )
    def procedure(
        context: dg.AssetExecutionContext,
        sql_pool: dg.ResourceParam[SqlPool],
        sql_pool_power: dg.ResourceParam[SqlPoolPower],
        scoring: dg.ResourceParam[Scoring],
    ) -> Iterator[dg.MaterializeResult]:
        if not pool_is_online(context, sql_pool_power):
            return
        seconds = stopwatch()
        with shown_to_people():
            script, refused = deploy_procedures(sql_pool, spec, needs_predict=scoring.needs_predict)
        outcome: dict[str, dg.MetadataValue | str] = {
            "script": dg.MetadataValue.md(f"```sql\n{script}\n```"),
            "try_it": f'bikecast sql "EXEC {spec.schema}.{spec.procedure}"',
        }
        if refused:
            outcome = {"refused": refused, "next": "the rows are scored on Spark"}
            context.log.warning(f"The pool does not know PREDICT: {refused}. Spark scores instead.")
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(model_digest((script or refused).encode())),
            metadata={
                **outcome,
                "dagster/column_schema": typed_schema(returned_types(spec), spec),
                **shown_of(context.instance, spec.scoring_table, rows="dagster/row_count"),
                "seconds": seconds(),
            },
        )

    return procedure


def _predictions(spec: ModelSpec) -> dg.AssetsDefinition:
    predictions_table = dg.AssetSpec(
        spec.predictions_table,
        deps=[spec.procedure, spec.scoring_table],
        skippable=True,
        group_name=spec.named("serving"),
        kinds={"sql"},
        owners=list(spec.owners),
        code_version=code_version(*_DEPLOYMENT),
        description=f"`{spec.schema}.{spec.predictions_table}` in the pool, one row a scored row.",
    )

    # Where it waits for the pool it yields nothing, its check included: only a part of a
    # subsettable definition may be missing.
    @dg.multi_asset(
        name=spec.predictions_table,
        specs=[predictions_table],
        check_specs=[golden_rows_spec(spec)],
        can_subset=True,
        pool=POOL_WRITER,
        retry_policy=RETRY,
    )
    def predictions(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        registry: dg.ResourceParam[Registry],
        scoring: dg.ResourceParam[Scoring],
        sql_pool_power: dg.ResourceParam[SqlPoolPower],
        costs: dg.ResourceParam[Costs],
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        if not pool_is_online(context, sql_pool_power):
            return
        seconds = stopwatch()
        with shown_to_people():
            scored = scoring.score(spec, run_id=context.run.run_id)
        if isinstance(scored, JobStatus):
            mark_waiting(context, Awaited.SPARK, scored, SPARK_SENSOR)
            return
        with shown_to_people():
            parity = golden_rows(spec, registry, scored)
        if context.selected_asset_check_keys:
            yield parity
        if not context.selected_asset_keys:
            return
        if not parity.passed:
            raise dg.Failure(
                f"{parity.description}. The stored predictions are unchanged. "
                "Go back to another model: bikecast rollback",
                allow_retries=False,
            )
        with shown_to_people():
            rows = scoring.store(spec, scored)
        digest = predictions_digest(spec, rows, scored.version)
        with shown_to_people():
            history = recent_targets(context.instance, spec, lake, rows)
            forecast = _forecast(context.instance, spec, rows, digest, history)
        yield dg.MaterializeResult(
            asset_key=predictions_table.key,
            data_version=dg.DataVersion(digest),
            metadata={
                **_predictions_metadata(spec, scored, rows),
                "forecast": forecast,
                **actual_sql_pool(context.instance, spec, costs),
                "seconds": seconds(),
            },
        )

    return predictions


def _predictions_metadata(
    spec: ModelSpec, scored: Scored, rows: list[dict[str, object]]
) -> dict[str, Any]:
    return {
        "dagster/table_name": f"{spec.schema}.{spec.predictions_table}",
        "dagster/row_count": scored.count,
        "dagster/column_schema": typed_schema(prediction_types(spec), spec),
        "scored_by": scored.way,
        "why": scored.reason,
        **scored.details,
        KEY: predicted(spec, spec.scoring_table, spec.scored_columns),
        "preview": dg.MetadataValue.md(table_preview(rows, limit=31)),
    }


def _forecast(
    instance: dg.DagsterInstance,
    spec: ModelSpec,
    rows: list[dict[str, object]],
    digest: str,
    history: list[tuple[str, float]],
) -> dg.MetadataValue:
    """The plot of the forecast: that of the last time where nothing has changed since."""
    title = f"Forecast after {history[-1][0]}" if history else "Forecast"
    last = latest_materialization(instance, spec.predictions_table)
    if last and (last.tags or {}).get(DATA_VERSION_TAG) == digest:
        kept = last.metadata.get("forecast")
        if kept is not None and str(kept.value).startswith(f"![{title}]"):
            return kept
    return picture(forecast_plot(spec, rows, history), title)


def predictions_digest(spec: ModelSpec, rows: list[dict[str, object]], version: str = "") -> str:
    """SHA-256 of the predictions themselves, without run id and time.

    `version` stands for rows beyond the first ones.
    """
    names = ("forecast_row", *spec.key_names, *spec.feature_names, spec.output, "model_digest")
    return model_digest((version + repr([[row[n] for n in names] for row in rows])).encode())
