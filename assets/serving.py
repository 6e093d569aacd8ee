"""Stages 5 to 7: the model and the rows to score in the SQL pool, and the predictions."""

import dagster as dg

from assets.code_version import code_version
from assets.events import latest_metadata
from assets.failures import shown_to_people
from assets.metadata import column_schema, picture, stopwatch, table_preview, typed_schema
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.spec import Column, ModelSpec
from resources.sql_pool.port import SqlPool

_DEPLOYMENT = ("assets/serving.py", "resources/sql_pool/deployment.py", "resources/sql_pool/sql")
FORECAST_ROW = Column("forecast_row", "bigint", "Number of the row in the file, from 1")


def serving_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The model table, the scoring table, the procedure and the predictions of a spec."""
    return [_model_table(spec), _scoring_table(spec), _procedure(spec), _predictions(spec)]


def _model_table(spec: ModelSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{spec.model_table}_table",
        deps=[spec.model_table],
        group_name="serving",
        kinds={"sql", "onnx"},
        owners=list(spec.owners),
        code_version=code_version(*_DEPLOYMENT),
        description=f"`{spec.schema}.{spec.model_table}` in the pool: versions, one of them live.",
    )
    def model_table(
        context: dg.AssetExecutionContext,
        registry: dg.ResourceParam[Registry],
        sql_pool: dg.ResourceParam[SqlPool],
    ) -> dg.MaterializeResult:
        from resources.sql_pool.deployment import publish_model, published_versions

        seconds = stopwatch()
        with shown_to_people():
            version = latest_metadata(context.instance, spec.model_table, "version")
            if not isinstance(version, int):
                raise dg.Failure(f"No model is registered yet: materialize {spec.model_table}.")
            known = {entry.version: entry for entry in registry.versions(spec.model_name)}[version]
            changed = publish_model(
                sql_pool,
                spec,
                version=version,
                digest=known.digest,
                job_id=known.job_id,
                model=registry.download(spec.model_name, version),
                actor="dagster",
                reason=f"run {context.run.run_id}",
            )
            registry.set_alias(spec.model_name, "champion", version)
            published = published_versions(sql_pool, spec)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(known.digest),
            metadata={
                "dagster/table_name": f"{spec.schema}.{spec.model_table}",
                "dagster/row_count": len(published.rows),
                "dagster/column_schema": typed_schema(
                    {c.name: c.sql_type for c in published.columns}
                ),
                "preview": dg.MetadataValue.md(table_preview(published.as_dicts())),
                "version": version,
                "digest": known.digest,
                "changed": changed,
                "seconds": seconds(),
            },
        )

    return model_table


def _scoring_table(spec: ModelSpec) -> dg.AssetsDefinition:
    columns = (FORECAST_ROW, *spec.keys, *spec.features)

    @dg.asset(
        name=spec.scoring_table,
        deps=[f"{spec.scoring_table}_file"],
        group_name="serving",
        kinds={"sql"},
        owners=list(spec.owners),
        code_version=code_version(*_DEPLOYMENT, "resources/lake/csv_file.py"),
        description=f"`{spec.schema}.{spec.scoring_table}` in the pool, loaded by COPY INTO.",
    )
    def scoring_table(
        lake: dg.ResourceParam[Lake],
        sql_pool: dg.ResourceParam[SqlPool],
    ) -> dg.MaterializeResult:
        from resources.lake.scoring_rows import stage_scoring_rows
        from resources.sql_pool.deployment import load_scoring_table

        seconds = stopwatch()
        with shown_to_people():
            content, staged = stage_scoring_rows(lake, spec)
            rows = load_scoring_table(sql_pool, spec, url=lake.copy_url(staged.path))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(staged.digest),
            metadata={
                "dagster/table_name": f"{spec.schema}.{spec.scoring_table}",
                "dagster/row_count": rows,
                "dagster/column_schema": column_schema(columns),
                "preview": dg.MetadataValue.md(
                    table_preview(content.table.slice(0, 5).to_pylist())
                ),
                "seconds": seconds(),
            },
        )

    return scoring_table


def _procedure(spec: ModelSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.procedure,
        deps=[f"{spec.model_table}_table", spec.scoring_table],
        group_name="serving",
        kinds={"sql"},
        owners=list(spec.owners),
        code_version=code_version(*_DEPLOYMENT),
        description=f"`{spec.schema}.{spec.procedure}`: scores the table with T-SQL PREDICT.",
    )
    def procedure(sql_pool: dg.ResourceParam[SqlPool]) -> dg.MaterializeResult:
        from resources.model_contract import model_digest
        from resources.sql_pool.deployment import create_procedures

        seconds = stopwatch()
        with shown_to_people():
            script = create_procedures(sql_pool, spec)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(model_digest(script.encode())),
            metadata={
                "script": dg.MetadataValue.md(f"```sql\n{script}\n```"),
                "try it": f'bikecast sql "EXEC {spec.schema}.{spec.procedure}"',
                "seconds": seconds(),
            },
        )

    return procedure


def _predictions(spec: ModelSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.predictions_table,
        deps=[spec.procedure, spec.scoring_table],
        group_name="serving",
        kinds={"sql"},
        owners=list(spec.owners),
        code_version=code_version(*_DEPLOYMENT),
        description=f"`{spec.schema}.{spec.predictions_table}` in the pool, one row a scored row.",
    )
    def predictions(
        context: dg.AssetExecutionContext, sql_pool: dg.ResourceParam[SqlPool]
    ) -> dg.MaterializeResult:
        from assets.plots import forecast_plot
        from resources.sql_pool.deployment import prediction_types, save_predictions

        seconds = stopwatch()
        with shown_to_people():
            rows = save_predictions(sql_pool, spec, run_id=context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(predictions_digest(spec, rows)),
            metadata={
                "dagster/table_name": f"{spec.schema}.{spec.predictions_table}",
                "dagster/row_count": len(rows),
                "dagster/column_schema": typed_schema(prediction_types(spec)),
                "predictions": dg.MetadataValue.md(table_preview(rows, limit=31)),
                "forecast": picture(forecast_plot(spec, rows), "Forecast"),
                "seconds": seconds(),
            },
        )

    return predictions


def predictions_digest(spec: ModelSpec, rows: list[dict[str, object]]) -> str:
    """SHA-256 of the predictions themselves, without run id and time."""
    from resources.model_contract import model_digest

    kept = ("forecast_row", *spec.key_names, *spec.feature_names, spec.output, "model_digest")
    return model_digest(repr([[row[name] for name in kept] for row in rows]).encode())
