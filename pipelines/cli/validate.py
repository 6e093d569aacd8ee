"""`bikecast validate`: a file read as `bikecast run` would, and nothing stored."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.file_options import RECOGNISED, FileFormat, with_file_options
from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import print_json, stdout_console

if TYPE_CHECKING:
    from resources.lake.csv_file import CsvContent


@with_file_options
def validate(
    file: Annotated[
        str, typer.Argument(help="Training CSV: a path (of a folder too), a URL, or -.")
    ],
    forecast: Annotated[
        str | None, typer.Option(help="CSV with the days to forecast.", show_default=False)
    ] = None,
    file_format: FileFormat = RECOGNISED,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read files as `bikecast run` would, and say how; nothing is stored.

    Exit code 2 where a run would refuse them.

    Examples: `bikecast validate rentals.csv`,
    `bikecast validate export.csv --rename rentals=cnt --date-format %d.%m.%Y`
    """
    from pipelines.environments import resources_for
    from pipelines.in_process.checked_files import checked_files, without_refusal
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings

    if file_format.get("start_date") and not forecast:
        raise InvalidInput("--start-date is about a forecast; name it with --forecast")
    settings = load_settings(model=model, csv=file, forecast=forecast, **file_format)
    models = load_models()
    spec = chosen_model(models, settings.model).spec
    sources = resources_for(settings, models).sources
    paths = [spec.source_file, *([spec.scoring_file] if forecast else [])]
    try:
        with checked_files(spec, sources, paths) as contents:
            files = [_as_object(path, *content) for path, content in contents.items()]
    except InvalidInput as error:
        if not as_json:
            raise
        print_json({"valid": False, "problems": without_refusal(error).splitlines(), "files": []})
        sys.exit(error.exit_code)
    if as_json:
        print_json({"valid": True, "problems": [], "files": files})
        return
    out = stdout_console()
    for each in files:
        out.print(f"{each['source']}: {each['rows']:,} rows", markup=False, highlight=False)
        for finding in each["findings"]:
            out.print(f"  {finding}", markup=False, highlight=False)
    out.print("A run would take this; nothing was stored.", highlight=False)


def _as_object(path: str, origin: str, content: CsvContent) -> dict[str, Any]:
    return {
        "file": path,
        "source": origin,
        "rows": content.rows,
        "canonical": content.is_canonical,
        "findings": list(content.findings),
        "absent": list(content.absent),
    }
