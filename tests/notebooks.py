"""Notebooks executed by nbclient, in one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.notebooks.documents import Kind, cells_of, write_notebook

#: Seconds that a cell may take on a busy machine.
LONGEST = 600


class Outputs(dict[str, str]):
    """What the cells showed, as text, by the beginning of their source."""

    def __missing__(self, beginning: str) -> str:
        texts = [text for source, text in self.items() if source.startswith(beginning)]
        assert len(texts) == 1, f"{len(texts)} cells begin with {beginning!r}"
        return texts[0]


def executed(folder: Path, kinds: Sequence[Kind]) -> Outputs:
    """Write these notebooks as one, execute it there, and give what its cells showed.

    The file `notebook.ipynb` has the outputs too.
    """
    file = folder / "notebook.ipynb"
    write_notebook([cell for kind in kinds for cell in cells_of(kind, BIKE_RENTALS)], file)
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=LONGEST, kernel_name="python3").execute(cwd=str(folder))
    nbformat.write(notebook, file)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return Outputs({cell.source: "\n".join(map(_text, cell.outputs)) for cell in code})


def check_both(outputs: Outputs) -> None:
    """What `explore` and `train` show in every environment."""
    assert "1/1/2011" in outputs["%%pyspark\nloaded"]
    assert "|-- temp: double" in outputs["%%pyspark\nchosen"]
    assert "1286.898" in outputs["%%sql"]
    assert "731 rows, 12 columns" in outputs["lake.profile"]
    assert "image/png" in outputs["lake.profile"]
    assert "explored_bike_rentals" in outputs["lake.tables"]
    assert "is Completed" in outputs["training.wait"]


def _text(output: nbformat.NotebookNode) -> str:
    data = output.get("data", {})
    shown = data.get("text/markdown", data.get("text/plain", ""))
    return f"{output.get('text', '')}{shown} {' '.join(data)}"
