"""Stage 1: the CSV files in the lake."""

from functools import partial
from typing import Literal

import dagster as dg
from pydantic import Field

from assets.code_version import code_version
from assets.costs import check_new_data
from assets.failures import shown_to_people
from assets.metadata import column_schema, stopwatch, table_preview
from resources.costs.port import Costs
from resources.errors import InvalidInput
from resources.lake.download import is_url, public_url
from resources.lake.port import Lake
from resources.lake.sources import Sources
from resources.spec import Column, ModelSpec

#: What decides how a CSV file is read.
FILE_CODE = (
    "resources/lake/csv_file.py",
    "resources/lake/csv_problems.py",
    "resources/lake/findings.py",
    "resources/lake/values.py",
)


class SourceConfig(dg.Config):
    """Where a file comes from in this run."""

    source: str | None = Field(
        None,
        description="Path, URL or 'sample'. Empty: the setting, else the file in the lake. "
        "A signed URL belongs in the setting: Dagster keeps what is written here.",
    )


def lake_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The training CSV and the scoring CSV of a spec, each validated before it is stored."""
    return [
        _file(spec, "training", spec.source_asset, spec.source_file, spec.training_columns),
        _file(
            spec,
            "scoring",
            f"{spec.scoring_table}_file",
            spec.scoring_file,
            (*spec.keys, *spec.features),
        ),
    ]


def _file(
    spec: ModelSpec,
    purpose: Literal["training", "scoring"],
    name: str,
    lake_path: str,
    columns: tuple[Column, ...],
) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        group_name="lake",
        kinds={"csv"},
        owners=list(spec.owners),
        code_version=code_version("assets/lake.py", *FILE_CODE),
        description=f"The {purpose} CSV, validated, at `{lake_path}` in the lake.",
    )
    def file(
        context: dg.AssetExecutionContext,
        config: SourceConfig,
        lake: dg.ResourceParam[Lake],
        sources: dg.ResourceParam[Sources],
        costs: dg.ResourceParam[Costs],
    ) -> dg.MaterializeResult:
        from resources.lake.csv_file import read_scoring_csv, read_training_csv

        training = partial(read_training_csv, trainable=True)
        read = training if purpose == "training" else read_scoring_csv
        seconds = stopwatch()
        with shown_to_people(), sources.fetch(lake_path, _unsigned(config.source)) as fetched:
            check_new_data(context, spec, costs, lake, sources)
            content = read(fetched.path, spec, source_name=fetched.origin)
            stored = lake.put(lake_path, fetched.path)
        for finding in content.findings:
            context.log.warning(finding)
        rows = content.table.slice(0, 5).to_pylist()
        return dg.MaterializeResult(
            data_version=dg.DataVersion(stored.digest),
            metadata={
                "source": fetched.origin,
                "file": dg.MetadataValue.path(lake.url(lake_path)),
                "bytes": stored.size,
                "dagster/row_count": content.rows,
                "dagster/column_schema": column_schema(columns),
                "preview": dg.MetadataValue.md(table_preview(rows)),
                "findings": dg.MetadataValue.json(list(content.findings)),
                "seconds": seconds(),
            },
        )

    return file


def _unsigned(source: str | None) -> str | None:
    """The source of this run. Raises InvalidInput where its URL may hold a secret."""
    if source and is_url(source) and public_url(source) != source:
        raise InvalidInput(
            f"{public_url(source)}: a URL with a password, a query or a fragment does not belong "
            "in the configuration of a run, which Dagster keeps and shows. Nothing was changed. "
            "Put it into the setting of this file (BIKECAST_CSV, BIKECAST_FORECAST); if it held a "
            "secret, renew that and delete this run."
        )
    return source
