"""`bikecast profile`: what is in a file or in a table of the lake, column by column."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.file_options import RECOGNISED, FileFormat, with_file_options
from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import Wide, print_json, print_table, say, show

if TYPE_CHECKING:
    import pyarrow.dataset as ds

    from bikecast.core.spec import ModelSpec
    from pipelines.settings import Settings
    from resources.lake.port import FetchedFile, Lake


@with_file_options
def profile(
    what: Annotated[
        str,
        typer.Argument(metavar="FILE|TABLE", help="A CSV (path, URL, -), or a table of the lake."),
    ],
    html: Annotated[
        Path | None, typer.Option(help="Write a page with plots too.", show_default=False)
    ] = None,
    file_format: FileFormat = RECOGNISED,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wide: Wide = False,
) -> None:
    """Look at a file or a table of the lake: values, gaps, ranges, drift, ties to the target.

    A file is read as `bikecast run` reads it, but values may be missing and keys repeated; drift
    is against the table in the lake. That of a table is against its version before.

    Examples: `bikecast profile bike_data`, `bikecast profile rentals.csv --html profile.html`
    """
    from dataclasses import asdict

    from assets.profile_view import profile_lines, profile_page, profile_rows
    from assets.table_profile import profile_of
    from bikecast.core.files import replaced_file
    from pipelines.environments import resources_for
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings
    from resources.lake.tables import open_table, open_version_before

    models, settings = load_models(), load_settings(model=model)
    spec = chosen_model(models, settings.model).spec
    lake = resources_for(settings, models).lake
    path = f"tables/{what}"
    if _is_table(lake, what):
        if any(file_format.values()):
            raise InvalidInput(f"{what} is a table of the lake: the options are for files.")
        before = open_version_before(lake, path)
        profiled = profile_of(
            open_table(lake, path), what, spec, before=before, compared="the version before"
        )
    else:
        file_settings = load_settings(model=model, csv=what, **file_format)
        with _rows_of_file(file_settings, spec) as (rows, origin, columns, findings):
            before = open_table(lake, spec.training_table_path) if _has_table(lake, spec) else None
            profiled = profile_of(
                rows, origin, spec, columns=columns, before=before, compared=spec.training_table
            )
        for finding in findings:
            say(finding)
    if html is not None:
        with replaced_file(html) as temporary:
            temporary.write_text(profile_page(profiled), encoding="utf-8")
    if as_json:
        print_json(asdict(profiled))
    else:
        title, *notes = profile_lines(profiled)
        show(title, style="bold")
        table = profile_rows(profiled)
        cells = [[_short(value) for value in row.values()] for row in table]
        print_table(list(table[0]), cells, wide=wide, exact=True)
        for note in notes:
            show(note)
    if html is not None:
        say(f"Wrote {html}.")


def _is_table(lake: Lake, name: str) -> bool:
    from resources.lake.tables import open_table_if_any

    plain = name.isidentifier()  # a path or a URL is none
    return plain and open_table_if_any(lake, f"tables/{name}") is not None


def _has_table(lake: Lake, spec: ModelSpec) -> bool:
    return _is_table(lake, spec.training_table)


@contextmanager
def _rows_of_file(
    settings: Settings, spec: ModelSpec
) -> Iterator[tuple[ds.Dataset, str, list[str], tuple[str, ...]]]:
    """The typed rows of the settings' file on disk, where it came from, its columns, findings."""
    import tempfile

    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    from bikecast.core.sql_types import arrow_schema
    from pipelines.environments import resources_for
    from pipelines.model_files import load_models
    from resources.lake.csv_file import read_any_csv

    schema = arrow_schema(spec.training_columns)
    sources = resources_for(settings, load_models()).sources
    with (
        tempfile.TemporaryDirectory(prefix="bikecast-") as folder,
        sources.fetch(spec.source_file) as fetched,
    ):
        rows = Path(folder) / "rows.parquet"
        with pq.ParquetWriter(rows, schema) as writer:
            content = read_any_csv(
                fetched.path,
                spec,
                source_name=fetched.origin,
                told=fetched.format,
                take=lambda block: writer.write_table(block.cast(schema)),
            )
        columns = [name for name in schema.names if name not in content.absent]
        yield ds.dataset(rows), _short_name(fetched), columns, content.findings


def _short_name(fetched: FetchedFile) -> str:
    return Path(fetched.origin).name if fetched.is_new else fetched.origin


def _short(value: object) -> object:
    """A value with four digits at most; columns of a table differ in what they measure."""
    if isinstance(value, float):
        rounded = float(f"{value:.4g}")
        return int(rounded) if rounded.is_integer() else rounded
    return "" if value is None else value
