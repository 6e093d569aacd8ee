"""Stage 1: the CSV files in the lake."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field

from assets.costs import check_new_data
from assets.events import DATA_VERSION_TAG, latest_materialization
from assets.failures import shown_to_people
from assets.metadata import stopwatch, table_preview
from assets.run_files import file_of_run
from assets.table_columns import column_schema
from bikecast.core.code_version import code_version
from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column, ModelSpec
from bikecast.core.urls import is_url, public_url
from resources.costs.port import Costs
from resources.lake.port import BY_HAND, FetchedFile, Lake, SourceFiles

if TYPE_CHECKING:
    from resources.lake.csv_file import CsvContent

#: What decides how a CSV file is read.
FILE_CODE = (
    "resources/lake/csv_file.py",
    "resources/lake/csv_problems.py",
    "resources/lake/decimal_marks.py",
    "bikecast/core/file_kinds.py",
    "resources/lake/dialect.py",
    "resources/lake/findings.py",
    "resources/lake/many_files.py",
    "resources/lake/raw_files.py",
    "resources/lake/rows.py",
    "resources/lake/values.py",
)
#: Rows of a file that are shown.
PREVIEW = 5


class SourceConfig(dg.Config):
    """Where a file comes from in this run."""

    source: str | None = Field(
        None,
        description="URL, 'sample', or a file, folder or glob below the folders that may be read "
        "(the project, the home; see BIKECAST_SOURCE_FOLDERS). Empty: the setting, else the file "
        "in the lake. "
        "A signed URL belongs in the setting: Dagster keeps what is written here.",
    )


@dataclass(frozen=True)
class CsvFile:
    """A CSV file of the lake and the asset that stores it."""

    purpose: Literal["training", "scoring"]
    asset: str
    lake_path: str
    columns: tuple[Column, ...]

    def read(self, fetched: FetchedFile, spec: ModelSpec, lake: Lake) -> "CsvContent":
        """Check the file and read its first rows, if that was not done. Raises InvalidInput."""
        from resources.lake.csv_file import CsvContent, read_scoring_csv, read_training_csv
        from resources.lake.raw_files import kept_content

        if isinstance(fetched.content, CsvContent):
            return fetched.content
        if fetched.kept is not None:
            if content := kept_content(lake, self.lake_path, spec):
                return content
            with lake.local_copy(self.lake_path) as copy:
                return self.read(replace(fetched, path=copy, kept=None), spec, lake)
        if fetched.parts:
            from resources.lake.many_files import read_many

            return read_many(fetched, spec, self.purpose, lake, kept_rows=PREVIEW)
        read = (
            read_scoring_csv
            if self.purpose == "scoring"
            else partial(read_training_csv, trainable=True)
        )
        return read(
            fetched.path,
            spec,
            source_name=fetched.origin,
            told=fetched.format,
            kept_rows=PREVIEW,
        )


def lake_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The training CSV and the scoring CSV of a spec.

    Where a run brings both, neither is stored unless both can be used.
    """
    training, scoring = csv_files(spec)
    return [_file(spec, training, scoring), _file(spec, scoring, training)]


def csv_files(spec: ModelSpec) -> tuple[CsvFile, CsvFile]:
    """The training file and the scoring file of a spec."""
    asset = f"{spec.scoring_table}_file"
    training = CsvFile("training", spec.source_asset, spec.source_file, spec.training_columns)
    return training, CsvFile("scoring", asset, spec.scoring_file, (*spec.keys, *spec.features))


def _file(spec: ModelSpec, own: CsvFile, other: CsvFile) -> dg.AssetsDefinition:
    @dg.asset(
        name=own.asset,
        group_name=spec.named("lake"),
        kinds={"csv"},
        owners=list(spec.owners),
        code_version=code_version("assets/lake.py", *FILE_CODE),
        description=f"The {own.purpose} CSV, validated, at `{own.lake_path}` in the lake.",
    )
    def file(
        context: dg.AssetExecutionContext,
        config: SourceConfig,
        lake: dg.ResourceParam[Lake],
        sources: dg.ResourceParam[SourceFiles],
        costs: dg.ResourceParam[Costs],
    ) -> dg.MaterializeResult:
        from resources.lake.raw_files import store

        seconds = stopwatch()
        with shown_to_people(), sources.fetch(own.lake_path, _unsigned(config.source)) as fetched:
            check_new_data(context, spec, costs, lake, sources)
            content = own.read(fetched, spec, lake)
            _check_other(context, spec, sources, other, lake)
            origin, before = _origin(context, own, fetched, lake)
            told = fetched.format
            stored = fetched.kept or store(
                lake, own.lake_path, fetched.path, content, spec, told, fetched.parts
            )
        if fetched.is_sample and before not in (None, origin):
            context.log.warning(
                f"the {origin} replaces {own.lake_path} in the lake, which came from {before}"
            )
        for finding in content.findings:
            context.log.warning(finding)
        rows = content.table.to_pylist()
        return dg.MaterializeResult(
            data_version=dg.DataVersion(stored.digest),
            metadata={
                "source": origin,
                "file": dg.MetadataValue.path(lake.url(own.lake_path)),
                "bytes": stored.size,
                "dagster/row_count": content.rows,
                "dagster/column_schema": column_schema(own.columns, spec),
                "preview": dg.MetadataValue.md(table_preview(rows)),
                "findings": dg.MetadataValue.json(list(content.findings)),
                "seconds": seconds(),
            },
        )

    return file


def _origin(
    context: dg.AssetExecutionContext, own: CsvFile, fetched: FetchedFile, lake: Lake
) -> tuple[str, str | None]:
    """Where the file came from, and where the one came from that the lake has (None: no file).

    A file that is kept came from where it came from when it was stored.
    """
    stored = lake.stat(own.lake_path)
    if stored is None:
        return fetched.origin, None
    event = latest_materialization(context.instance, own.asset)
    known = event is not None and (event.tags or {}).get(DATA_VERSION_TAG) == stored.digest
    source = event.metadata.get("source") if event is not None and known else None
    before = str(source.value) if source is not None else BY_HAND
    is_kept = not fetched.is_new and source is not None
    return before if is_kept else fetched.origin, before


def _check_other(
    context: dg.AssetExecutionContext,
    spec: ModelSpec,
    sources: SourceFiles,
    other: CsvFile,
    lake: Lake,
) -> None:
    """Raise InvalidInput where this run also brings the other file, and that is wrong."""
    if sources.holds(other.lake_path):  # checked before the run began
        return
    with file_of_run(context, sources, other.asset, other.lake_path) as fetched:
        if fetched is None or not fetched.is_new:
            return
        try:
            other.read(fetched, spec, lake)
        except InvalidInput as error:
            raise InvalidInput(
                f"Not stored, because of the {other.purpose} file of the same run: {error}"
            ) from None


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
