"""`bikecast notebook`: notebooks to look at the data and to train, written, opened, published."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import say, show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.notebooks.documents import Kind

notebook = typer.Typer(
    no_args_is_help=True,
    help="Look at the data, or train step by step, in a notebook of Jupyter or of Synapse.\n\n"
    "A notebook is written into the folder `notebooks` of the home; one that is there is kept.",
)

_Open = Annotated[bool, typer.Option("--open/--no-open", help="Open it in JupyterLab.")]
_Fresh = Annotated[bool, typer.Option("--fresh", help="Write it anew where it is there.")]
_Jupyter = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[-- JUPYTERLAB...]",
        help="Options of JupyterLab after `--`, such as --port 8899 or --no-browser.",
        show_default=False,
    ),
]


@notebook.command()
def explore(
    model: ModelOption = None,
    fresh: _Fresh = False,
    opened: _Open = True,
    jupyter: _Jupyter = None,
) -> None:
    """Load the CSV, select columns, save a table, query it with %%sql, and see plots of it.

    In azure the cells run in a session on the Spark pool, which costs until it is stopped.
    """
    _open("explore", model, fresh, opened, jupyter or [])


@notebook.command()
def train(
    model: ModelOption = None,
    fresh: _Fresh = False,
    opened: _Open = True,
    jupyter: _Jupyter = None,
) -> None:
    """Settings, data, configuration, run, link to the job, wait, register the best model."""
    _open("train", model, fresh, opened, jupyter or [])


@notebook.command()
def publish(model: ModelOption = None) -> None:
    """Azure: store the notebook `explore` in the Synapse workspace, and read it back.

    One that was published before is replaced. `train` runs on this project's own functions, which
    a Spark pool does not have, so that it is not published.
    """
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings

    settings = load_settings(model=model)
    if settings.env != "azure":
        raise InvalidInput(
            "Notebooks are published in azure only. Nothing was published. Set BIKECAST_ENV=azure."
        )
    from pipelines.notebooks.publishing import publish_notebook

    spec = chosen_model(load_models(), settings.model).spec
    published = publish_notebook(settings, spec)
    show(f"Published {published.name!r} in folder {published.folder}: {len(published.cells)} cells")
    show(published.link)


def _open(kind: Kind, model: str | None, fresh: bool, opened: bool, jupyter: Sequence[str]) -> None:
    from pipelines.home import open_home
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.notebooks.documents import cells_of, write_notebook
    from pipelines.settings import load_settings

    settings = load_settings(model=model)
    spec = chosen_model(load_models(), settings.model).spec
    path = open_home(settings).root / "notebooks" / f"{kind}-{spec.name}.ipynb"
    if fresh or not path.exists():
        write_notebook(cells_of(kind, spec), path)
        say(f"Wrote {path}.")
    else:
        say(f"{path} is there and was kept; --fresh writes it anew.")
    if opened:
        _run_jupyter(path, jupyter)


def _run_jupyter(path: Path, options: Sequence[str]) -> None:
    """Become JupyterLab, whose kernels end with it: no process is left when it is killed."""
    if find_spec("jupyterlab") is None:
        raise InvalidInput(
            f"JupyterLab is not installed here. The notebook is written; open {path} where it is, "
            "or install it: scripts/setup.sh notebook"
        )
    os.chdir(path.parent)
    command = [sys.executable, "-m", "jupyterlab", path.name, *options]
    os.execv(sys.executable, command)  # noqa: S606
