"""Stage 2: the training table that Spark prepares."""

from collections.abc import Iterator

import dagster as dg

from assets.code_version import code_version
from assets.column_lineage import KEY, copied
from assets.failures import shown_to_people
from assets.metadata import column_schema, stopwatch, table_preview
from resources.jobs import JobStatus
from resources.lake.port import Lake
from resources.spark.port import Preparation, Spark
from resources.spec import ModelSpec


def training_table_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The Delta table with the features, the target and the keys of a spec."""

    @dg.asset(
        name=spec.training_table,
        deps=[spec.source_asset],
        output_required=False,
        group_name="spark",
        kinds={"spark", "deltalake"},
        owners=list(spec.owners),
        code_version=code_version("assets/training_table.py", "resources/spark"),
        description="The training table: features, target, then keys, with an explicit schema.",
    )
    def training_table(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        spark: dg.ResourceParam[Spark],
    ) -> Iterator[dg.MaterializeResult]:
        from resources.lake.csv_file import read_training_csv
        from resources.lake.tables import read_rows

        seconds = stopwatch()
        with shown_to_people():
            with lake.local_copy(spec.source_file) as path:
                read_training_csv(path, spec, source_name=spec.source_file)
            prepared = spark.prepare(Preparation(spec, spec.source_file, spec.training_table_path))
        if isinstance(prepared, JobStatus):
            context.log.info(f"Job {prepared.job_id} is {prepared.state}; the sensor carries on.")
            return
        for finding in prepared.findings:
            context.log.warning(finding)
        context.log.info(
            f"{prepared.rows} rows, Delta version {prepared.delta_version}"
            + ("" if prepared.changed else ": unchanged, nothing was written")
        )
        rows = read_rows(lake, prepared.path, limit=5)
        last_time = _last_time(lake, spec)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(prepared.data_version),
            metadata={
                "dagster/table_name": prepared.name,
                "dagster/storage_kind": "deltalake",
                "dagster/row_count": prepared.rows,
                "dagster/column_schema": column_schema(spec.training_columns),
                KEY: copied(spec.source_asset, [c.name for c in spec.training_columns]),
                "table": dg.MetadataValue.path(lake.url(prepared.path)),
                "delta_version": prepared.delta_version,
                "changed": prepared.changed,
                "dropped_rows": prepared.dropped_rows,
                **({"last_time": last_time} if last_time is not None else {}),
                "preview": dg.MetadataValue.md(table_preview(rows)),
                "findings": dg.MetadataValue.json(list(prepared.findings)),
                "seconds": seconds(),
            },
        )

    return [training_table]


def _last_time(lake: Lake, spec: ModelSpec) -> str | None:
    """The last value of the time key as ISO text, or None without a time key."""
    import pyarrow.compute as pc

    from resources.lake.tables import read_table

    if spec.time_key is None:
        return None
    times = read_table(lake, spec.training_table_path, [spec.time_key])[spec.time_key]
    return str(pc.max(times).as_py())
