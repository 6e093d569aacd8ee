"""`bikecast predict`: the rows of any CSV, scored by a model that was trained before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bikecast.core.errors import InvalidInput
from bikecast.core.files import replaced_file
from pipelines.cli.output import show, stderr_console

PREDICTION = "prediction"


def predict(
    model: Annotated[
        str,
        typer.Option(
            help="Folder that `bikecast automl` left, or NAME or NAME@VERSION of a registered "
            "model; NAME alone is its live version.",
            show_default=False,
        ),
    ],
    csv: Annotated[Path, typer.Option(help="CSV with the model's columns.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="CSV to write.", show_default=False)
    ],
) -> None:
    """Score the rows of a CSV by a trained model.

    Writes the file's columns and a last one, the prediction. Columns are found by their names and
    read as they were for the training.

    Examples: `bikecast predict --model houses-model --csv new-houses.csv -o prices.csv`,
    `bikecast predict --model rental-prediction-model@2 --csv days.csv -o rentals.csv`
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv
    from rich.markup import escape

    from bikecast.embedded.automl import read_csv, score_texts

    graph, columns = _model(model)
    texts = read_csv(csv)
    scored = score_texts(graph, texts.table, columns)
    for note in (*texts.notes, *scored.notes):
        stderr_console().print(f"[cyan]note[/] {escape(note)}", highlight=False)
    name = PREDICTION
    while name in texts.table.column_names:
        name += "_"
    table = texts.table.append_column(name, pa.array(scored.predictions))
    with replaced_file(output) as path:
        pacsv.write_csv(table, path, pacsv.WriteOptions(quoting_style="needed"))
    show(f"{output}: {table.num_rows:,} rows, the predictions in column {name!r}")


def _model(wanted: str) -> tuple[bytes, dict[str, Any] | None]:
    """The model, and how its columns are read where that is recorded beside it."""
    folder = Path(wanted)
    if (folder / "model.onnx").exists():
        path = folder / "columns.json"
        try:
            columns = json.loads(path.read_text("utf-8")) if path.exists() else None
        except ValueError as error:
            raise InvalidInput(f"{path} is damaged: {error}. Nothing was scored.") from error
        return (folder / "model.onnx").read_bytes(), columns
    from assets.live_model.live_model import ALIAS
    from pipelines.environments import resources_for
    from pipelines.model_files import load_models
    from pipelines.settings import load_settings
    from resources.registry.port import numbered

    name, _, number = wanted.partition("@")
    registry = resources_for(load_settings(), load_models()).registry
    versions = registry.versions(name)
    if not versions or not (number.isdigit() or not number):
        raise InvalidInput(
            f"{wanted!r} is no folder with a model.onnx, and no registered model NAME or "
            "NAME@VERSION. Nothing was scored. `bikecast models` lists the versions."
        )
    live = next((entry for entry in versions if ALIAS in entry.aliases), versions[0])
    chosen = numbered(versions, name, int(number)) if number else live
    return registry.download(name, chosen.version), None
