"""`bikecast new-model`: a model's file from a CSV."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.file_options import Rename
from pipelines.cli.output import say, show


def new_model(
    name: Annotated[str, typer.Argument(help="An identifier, such as coffee.")],
    csv: Annotated[
        str, typer.Option(help="Training CSV with a header: path or URL.", show_default=False)
    ],
    target: Annotated[str, typer.Option(help="The number to predict.", show_default=False)],
    key: Annotated[
        list[str] | None,
        typer.Option(help="Column that tells rows apart; may be repeated.", show_default=False),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Key that orders the rows in time.", show_default=False)
    ] = None,
    metric: Annotated[
        str, typer.Option(help="spearman_correlation, r2_score or a normalized error.")
    ] = "spearman_correlation",
    forecast: Annotated[
        str | None,
        typer.Option(
            help="CSV with the rows to score: path or URL. Default: those of the training.",
            show_default=False,
        ),
    ] = None,
    rename: Rename = None,
) -> None:
    """Make the file of a new model from a CSV: columns, types and settings, with comments.

    It is `pipelines/defs/NAME/defs.yaml`. The CSV is read by it before it is kept.

    Example: `bikecast new-model coffee --csv sales.csv --target cups --key day --key shop`
    """
    from pipelines.new_model import Wish, make_model
    from resources.lake.csv_format import renamed_columns

    columns = renamed_columns(rename or [])
    wish = Wish(name, csv, target, tuple(key or ()), time, metric, forecast, columns)
    place, model, notes = make_model(wish)
    for note in notes:
        say(f"note: {note}")
    show(f"Wrote {place}: {len(model.spec.features)} inputs, target {target}.")
    if forecast is None:
        say("The rows to score are those of the training until `forecast` says others.")
    show(
        "Next: read it, then\n"
        "      bikecast check\n"
        f"      bikecast run --model {name} --budget 60\n"
        "      bikecast ui            the graph with all models"
    )
