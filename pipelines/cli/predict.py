"""`bikecast predict`: the rows of any CSV, scored by a model that was trained before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bikecast.core.errors import InvalidInput
from bikecast.core.files import replaced_file
from pipelines.cli.output import show, stderr_console

if TYPE_CHECKING:
    import pyarrow as pa

    from bikecast.core.spec import ModelSpec

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
    read as they were for the training: those of a model of this project as a run reads them.

    Examples: `bikecast predict --model houses-model --csv new-houses.csv -o prices.csv`,
    `bikecast predict --model rental-prediction-model@2 --csv days.csv -o rentals.csv`
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv
    from rich.markup import escape

    from bikecast.embedded.automl import read_csv, score_texts
    from pipelines.settings import load_settings

    graph, columns, spec = _model(model)
    texts = read_csv(csv, load_settings().max_table_mb << 20)
    table, findings = texts.table, texts.notes
    if spec is not None:
        table, columns, findings = read_by_spec(csv, spec)
    if table.num_rows != texts.table.num_rows:
        raise InvalidInput(
            f"{csv}: {table.num_rows:,} rows by the model's file, {texts.table.num_rows:,} by its "
            "lines. Nothing was scored. Take lines that are not rows out of the file."
        )
    scored = score_texts(graph, table, columns)
    for note in (*findings, *scored.notes):
        stderr_console().print(f"[cyan]note[/] {escape(note)}", highlight=False)
    name = PREDICTION
    while name in texts.table.column_names:
        name += "_"
    table = texts.table.append_column(name, pa.array(scored.predictions))
    with replaced_file(output) as path:
        pacsv.write_csv(table, path, pacsv.WriteOptions(quoting_style="needed"))
    show(f"{output}: {table.num_rows:,} rows, the predictions in column {name!r}")


def read_by_spec(csv: Path, spec: ModelSpec) -> tuple[pa.Table, dict[str, Any], tuple[str, ...]]:
    """The features of a file as a run reads them, as texts; how these are read; and findings.

    Raises InvalidInput where the file does not keep the contract of the model's file.
    """
    import pyarrow as pa

    from resources.lake.csv_file import read_scoring_csv

    content = read_scoring_csv(csv, spec, source_name=csv.name)
    features = content.table.select(spec.feature_names)
    entries = [
        {
            "name": column.name,
            "type": {
                "kind": "text" if column.sql_type == "varchar" else "number",
                "layout": None,
                "words": None,
            },
            "inputs": {column.name: "value"},
        }
        for column in spec.features
    ]
    texts = features.cast(pa.schema([(name, pa.string()) for name in features.column_names]))
    return texts, {"columns": entries}, content.findings


def _model(wanted: str) -> tuple[bytes, dict[str, Any] | None, ModelSpec | None]:
    """The model, how its columns are read where that is recorded, and its spec in this project."""
    folder = Path(wanted)
    if (folder / "model.onnx").exists():
        path = folder / "columns.json"
        try:
            columns = json.loads(path.read_text("utf-8")) if path.exists() else None
        except ValueError as error:
            raise InvalidInput(f"{path} is damaged: {error}. Nothing was scored.") from error
        return (folder / "model.onnx").read_bytes(), columns, None
    from assets.live_model.live_model import ALIAS
    from bikecast.core.onnx.contract import inspect_model
    from pipelines.environments import resources_for
    from pipelines.model_files import load_models
    from pipelines.settings import load_settings
    from resources.registry.port import numbered

    name, _, number = wanted.partition("@")
    models = load_models()
    registry = resources_for(load_settings(), models).registry
    versions = registry.versions(name)
    if not versions or not (number.isdigit() or not number):
        raise InvalidInput(
            f"{wanted!r} is no folder with a model.onnx, and no registered model NAME or "
            "NAME@VERSION. Nothing was scored. `bikecast models` lists the versions; the "
            "first one comes from `bikecast run`."
        )
    live = next((entry for entry in versions if ALIAS in entry.aliases), versions[0])
    chosen = numbered(versions, name, int(number)) if number else live
    graph = registry.download(name, chosen.version)
    inputs = {tensor.name for tensor in inspect_model(graph).inputs}
    specs = (each.spec for each in models if each.spec.model_name == name)
    # A version of before may have other inputs than the model's file has now.
    return graph, None, next((s for s in specs if inputs <= set(s.feature_names)), None)
