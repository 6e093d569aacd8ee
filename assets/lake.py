"""Stage 1: the CSV files in the lake."""

import dagster as dg
from pydantic import Field

from assets.code_version import code_version
from assets.failures import shown_to_people
from assets.metadata import column_schema, stopwatch, table_preview
from resources.lake.port import Lake
from resources.lake.sources import Sources
from resources.spec import Column, ModelSpec

_CODE = ("assets/lake.py", "resources/lake/csv_file.py")


class SourceConfig(dg.Config):
    """Where a file comes from in this run."""

    source: str | None = Field(
        None, description="Path, URL or 'sample'. Empty: the setting, else the file in the lake."
    )


def lake_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The training CSV and the scoring CSV of a spec, each validated before it is stored."""

    @dg.asset(
        name=spec.source_asset,
        group_name="lake",
        kinds={"csv"},
        owners=list(spec.owners),
        code_version=code_version(*_CODE),
        description=f"The training CSV, validated, at `{spec.source_file}` in the lake.",
    )
    def training_file(
        context: dg.AssetExecutionContext,
        config: SourceConfig,
        lake: dg.ResourceParam[Lake],
        sources: dg.ResourceParam[Sources],
    ) -> dg.MaterializeResult:
        return _ingest(
            context, spec, lake, sources, spec.source_file, config.source, spec.training_columns
        )

    @dg.asset(
        name=f"{spec.scoring_table}_file",
        group_name="lake",
        kinds={"csv"},
        owners=list(spec.owners),
        code_version=code_version(*_CODE),
        description=f"The CSV to score, validated, at `{spec.scoring_file}` in the lake.",
    )
    def scoring_file(
        context: dg.AssetExecutionContext,
        config: SourceConfig,
        lake: dg.ResourceParam[Lake],
        sources: dg.ResourceParam[Sources],
    ) -> dg.MaterializeResult:
        return _ingest(
            context,
            spec,
            lake,
            sources,
            spec.scoring_file,
            config.source,
            (*spec.keys, *spec.features),
            optional=spec.key_names,
        )

    return [training_file, scoring_file]


def _ingest(
    context: dg.AssetExecutionContext,
    spec: ModelSpec,
    lake: Lake,
    sources: Sources,
    lake_path: str,
    source: str | None,
    columns: tuple[Column, ...],
    optional: tuple[str, ...] = (),
) -> dg.MaterializeResult:
    """Fetch, validate and store one file; the lake keeps its old file where that fails."""
    from resources.lake.csv_file import read_csv

    seconds = stopwatch()
    with shown_to_people(), sources.fetch(lake_path, source) as fetched:
        content = read_csv(
            fetched.path,
            columns,
            optional=optional,
            ignored=(*spec.ignored, spec.target.name),
            source_name=fetched.origin,
        )
        stored = lake.put(lake_path, fetched.path)
    for finding in content.findings:
        context.log.warning(finding)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.digest),
        metadata={
            "source": fetched.origin,
            "file": dg.MetadataValue.path(lake.url(lake_path)),
            "bytes": stored.size,
            "dagster/row_count": content.table.num_rows,
            "dagster/column_schema": column_schema(columns),
            "preview": dg.MetadataValue.md(table_preview(content.table.slice(0, 5).to_pylist())),
            "findings": dg.MetadataValue.json(list(content.findings)),
            "seconds": seconds(),
        },
    )
