"""The notebooks `explore` and `train` of a model, as cells and as files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bikecast.core.errors import InvalidInput
from bikecast.core.files import replaced_file
from bikecast.core.spec import ModelSpec
from pipelines.environments import explored_table

Kind = Literal["explore", "train"]
#: What a notebook of Synapse does in place of a cell: its first one makes `spark` and `lake`.
Place = Literal["here", "setup", "stop", "everywhere"]


@dataclass(frozen=True)
class Cell:
    """A cell, and where it runs: `here` (this machine only), or everywhere, Synapse included."""

    source: str
    is_text: bool = False
    place: Place = "everywhere"


def cells_of(kind: Kind, spec: ModelSpec) -> list[Cell]:
    """The cells of a notebook."""
    return _explore(spec) if kind == "explore" else _train(spec)


def write_notebook(cells: list[Cell], path: Path) -> None:
    """Write a notebook atomically. Raises InvalidInput where nbformat is not installed."""
    try:
        import nbformat
        from nbformat import v4
    except ImportError as error:
        raise InvalidInput(
            "Notebooks need the extra `notebook`: scripts/setup.sh notebook. Nothing was written."
        ) from error
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata: dict[str, Any] = {"kernelspec": kernel, "language_info": {"name": "python"}}
    made: list[Any] = []
    for number, cell in enumerate(cells):
        new = v4.new_markdown_cell if cell.is_text else v4.new_code_cell
        # A number of its own keeps the file the same from one writing to the next.
        made.append(new(cell.source, id=f"cell-{number}"))  # type: ignore[no-untyped-call]
    notebook = v4.new_notebook(cells=made, metadata=metadata)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as temporary:
        temporary.write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")


def _explore(spec: ModelSpec) -> list[Cell]:
    names = [*spec.key_names, *spec.feature_names, spec.target.name]
    group = next((column.name for column in spec.features if column.codes), spec.feature_names[0])
    target, saved = spec.target.name, explored_table(spec)
    chosen = ", ".join(f'"{name}"' for name in names)
    query = (
        f"SELECT `{group}`, count(*) AS `rows`, avg(`{target}`) AS `mean`\n"
        f"FROM {saved} GROUP BY `{group}` ORDER BY `{group}`"
    )
    return [
        Cell(f"# Look at the data of {spec.name}\n\n{spec.description}", is_text=True),
        Cell(
            "from pipelines.notebooks.session import display, open_session\n\n"
            f'spark, lake, pool = open_session("{spec.name}")',
            place="setup",
        ),
        Cell("## Load the CSV", is_text=True),
        Cell(
            "%%pyspark\n"
            "loaded = spark.read.csv(lake.training_csv(), header=True, inferSchema=True)\n"
            "display(loaded.limit(10))"
        ),
        Cell("## Select columns", is_text=True),
        Cell(f"%%pyspark\nchosen = loaded.select({chosen})\nchosen.printSchema()"),
        Cell("## Save a table", is_text=True),
        Cell(f'%%pyspark\nlake.save(chosen, "{saved}")'),
        Cell("## Query it", is_text=True),
        Cell(f"%%sql\n{query}"),
        Cell("## Column by column", is_text=True, place="here"),
        Cell(f'lake.profile("{saved}")', place="here"),
        Cell(
            "The lake's tables are views for `%%sql`. After a run the pool has the forecast: "
            f'`pool.sql("EXEC {spec.schema}.{spec.procedure}")`.',
            is_text=True,
            place="here",
        ),
        Cell("lake.tables()", place="here"),
        Cell("## Stop the session", is_text=True),
        Cell("spark.stop()", place="stop"),
    ]


def _train(spec: ModelSpec) -> list[Cell]:
    steps = [
        ("Settings", "training.settings()"),
        ("Connection", "training.connection()"),
        ("Data", "training.data()"),
        ("Configuration", "training.configuration()"),
        ("Run", "training.run()"),
        ("The job", "training.link()"),
        ("Wait until it has ended", "training.wait()"),
        ("Register the best model", "training.register()"),
    ]
    return [
        Cell(f"# Train {spec.model_name}", is_text=True),
        Cell(
            "from pipelines.notebooks.training import Training\n\n"
            f'training = Training("{spec.name}")  # budget=60: seconds at most',
            place="here",
        ),
        *(
            cell
            for title, source in steps
            for cell in (
                Cell(f"## {title}", is_text=True, place="here"),
                Cell(source, place="here"),
            )
        ),
    ]
