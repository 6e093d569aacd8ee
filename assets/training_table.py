"""Stage 2: the training table that Spark prepares."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from assets.checks.blocking import table_contract, table_contract_spec
from assets.column_lineage import KEY, copied
from assets.costs import actual_spark
from assets.failures import shown_to_people
from assets.metadata import stopwatch, table_preview
from assets.profile_view import profile_metadata
from assets.table_columns import column_schema
from assets.training_plots import training_plots
from assets.waiting import SPARK_SENSOR, mark_waiting
from bikecast.core.code_version import code_version
from bikecast.core.jobs import Awaited, JobStatus
from bikecast.core.spec import ModelSpec
from resources.costs.port import Costs
from resources.lake.port import Lake
from resources.lake.tables import limits_of, open_table, read_rows
from resources.spark.port import Preparation, PreparedTable, Spark
from resources.spark.preparation_code import PREPARATION_CODE

#: What decides the content of the table.
TABLE_CODE = ("assets/training_table.py", *PREPARATION_CODE)


class PreparationConfig(dg.Config):
    """Which job's table to take."""

    job_id: str | None = Field(
        None,
        description="Spark job to finish. Empty: the one of this input, started if need be.",
    )


def training_table_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The Delta table with the features, the target and the keys of a spec."""

    table = dg.AssetSpec(
        spec.training_table,
        deps=[spec.source_asset],
        skippable=True,
        group_name=spec.named("spark"),
        kinds={"spark", "deltalake"},
        owners=list(spec.owners),
        code_version=code_version(*TABLE_CODE),
        description="The training table: features, target, then keys, with an explicit schema.",
    )

    # While a Spark pool makes the table this yields nothing, its check included: only a part of
    # a subsettable definition may be missing.
    @dg.multi_asset(
        name=spec.training_table,
        specs=[table],
        check_specs=[table_contract_spec(spec)],
        can_subset=True,
    )
    def training_table(
        context: dg.AssetExecutionContext,
        config: PreparationConfig,
        lake: dg.ResourceParam[Lake],
        spark: dg.ResourceParam[Spark],
        costs: dg.ResourceParam[Costs],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        if context.selected_asset_keys:
            materialized = _materialized(context, spec, config, lake, spark, costs)
            if materialized is None:
                return
            yield materialized
        contract = table_contract(spec, lake)
        if context.selected_asset_check_keys:
            yield contract
        if not contract.passed:
            raise dg.Failure(
                f"{spec.training_table} breaks its contract, so nothing is trained on it:\n"
                f"{contract.description}\nCorrect the CSV, then run again.",
                metadata={"exit_code": 2},
                allow_retries=False,
            )

    return [training_table]


def _materialized(
    context: dg.AssetExecutionContext,
    spec: ModelSpec,
    config: PreparationConfig,
    lake: Lake,
    spark: Spark,
    costs: Costs,
) -> dg.MaterializeResult | None:
    """Have Spark make the table of the checked CSV; None while a job makes it."""
    from resources.lake.raw_files import engine_path

    seconds = stopwatch()
    with shown_to_people():
        path = engine_path(lake, spec.source_file, spec, "training")
        prepared = spark.prepare(Preparation(spec, path, spec.training_table_path, config.job_id))
    if isinstance(prepared, JobStatus):
        mark_waiting(context, Awaited.SPARK, prepared, SPARK_SENSOR)
        return None
    for finding in prepared.findings:
        context.log.warning(finding)
    context.log.info(
        f"{prepared.rows} rows, Delta version {prepared.delta_version}"
        + ("" if prepared.changed else ": unchanged, nothing was written")
    )
    return dg.MaterializeResult(
        asset_key=dg.AssetKey(spec.training_table),
        data_version=dg.DataVersion(prepared.data_version),
        metadata={
            **_metadata(spec, prepared, lake),
            **profile_metadata(context.instance, spec, lake, prepared.data_version),
            **training_plots(context.instance, spec, lake, prepared.data_version),
            **actual_spark(context.instance, spec, config.job_id, costs),
            "seconds": seconds(),
        },
    )


def _metadata(spec: ModelSpec, prepared: PreparedTable, lake: Lake) -> dict[str, Any]:
    last_time: dict[str, str] = {}
    if spec.time_key is not None:
        _, latest = limits_of(open_table(lake, spec.training_table_path), spec.time_key)
        last_time = {"last_time": str(latest)}
    return {
        "dagster/table_name": prepared.name,
        "dagster/storage_kind": "deltalake",
        "dagster/row_count": prepared.rows,
        "dagster/column_schema": column_schema(spec.training_columns, spec),
        KEY: copied(spec.source_asset, [c.name for c in spec.training_columns]),
        "table": dg.MetadataValue.path(lake.url(prepared.path)),
        "delta_version": prepared.delta_version,
        "changed": prepared.changed,
        "dropped_rows": prepared.dropped_rows,
        **last_time,
        "preview": dg.MetadataValue.md(table_preview(read_rows(lake, prepared.path, limit=5))),
        "findings": dg.MetadataValue.json(list(prepared.findings)),
    }
