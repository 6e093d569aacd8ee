"""Rows scored again by number: what days are to assets by day, for a model without days."""

import dagster as dg
from pydantic import Field, model_validator

from assets.column_lineage import KEY, predicted
from assets.failures import shown_to_people
from assets.limits import POOL_WRITER, RETRY
from assets.live_model.live_model import LiveModel
from assets.metadata import stopwatch, table_preview
from assets.serving import predictions_digest
from assets.table_columns import typed_schema
from bikecast.core.code_version import code_version
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.sql_pool.daily import score_rows
from resources.sql_pool.deployment import prediction_types
from resources.sql_pool.port import SqlPool

_CODE = (
    *("assets/rescored.py", "resources/sql_pool/daily.py"),
    "resources/sql_pool/sql/score_range.sql",
)


class RowsConfig(dg.Config):
    """Which rows are scored, and by which model."""

    first: int = Field(1, description="Number of the first row.", ge=1)
    last: int | None = Field(None, description="Number of the last row. Empty: to the end.", ge=1)
    model_version: int | None = Field(
        None, description="Any registered version. Empty: the live one.", ge=1
    )

    @model_validator(mode="after")
    def _in_order(self) -> "RowsConfig":
        if self.last is not None and self.last < self.first:
            raise ValueError(f"first is {self.first}, after last, {self.last}")
        return self


def rescored_name(spec: ModelSpec) -> str:
    """Name of the asset, and of its table."""
    return f"{spec.predictions_table}_rescored"


def rescored_rows(spec: ModelSpec) -> dg.AssetsDefinition:
    """The table with the rows that were scored again last."""

    @dg.asset(
        name=rescored_name(spec),
        deps=[spec.scoring_table, f"{spec.model_table}_table"],
        group_name=spec.named("by_row"),
        kinds={"sql"},
        pool=POOL_WRITER,
        retry_policy=RETRY,
        owners=list(spec.owners),
        code_version=code_version(*_CODE),
        description=f"`{spec.schema}.{rescored_name(spec)}`: rows of `{spec.scoring_table}` by "
        "number, scored by the live model or by the version in the config; the last range only.",
    )
    def rescored(
        context: dg.AssetExecutionContext,
        config: RowsConfig,
        lake: dg.ResourceParam[Lake],
        registry: dg.ResourceParam[Registry],
        sql_pool: dg.ResourceParam[SqlPool],
    ) -> dg.MaterializeResult:
        seconds = stopwatch()
        with shown_to_people():
            model = LiveModel(registry, sql_pool, lake, spec).scorer(config.model_version)
            rows = score_rows(
                sql_pool, spec, config.first, config.last, model, run_id=context.run.run_id
            )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(predictions_digest(spec, rows)),
            metadata={
                "dagster/table_name": f"{spec.schema}.{rescored_name(spec)}",
                "dagster/row_count": len(rows),
                "dagster/column_schema": typed_schema(prediction_types(spec), spec),
                KEY: predicted(spec, spec.scoring_table, spec.scored_columns),
                "model_version": model.version,
                "preview": dg.MetadataValue.md(table_preview(rows)),
                "seconds": seconds(),
            },
        )

    return rescored
