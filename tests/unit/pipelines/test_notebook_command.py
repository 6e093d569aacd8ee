"""`bikecast notebook`: what is written, kept and opened."""

import json
import os
import sys

import nbformat
import pytest

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.notebooks.documents import cells_of
from tests.second_spec import COFFEE_SALES


@pytest.mark.parametrize("kind", ["explore", "train"])
def test_a_notebook_is_written_into_the_home_and_kept_there(bikecast, tmp_path, kind):
    code, _, said = bikecast("notebook", kind, "--no-open")
    file = tmp_path / "home" / "notebooks" / f"{kind}-bike_rentals.ipynb"
    assert (code, "Wrote" in said) == (0, True)
    nbformat.validate(nbformat.read(file, as_version=4))

    written = file.read_text()
    file.write_text("{}")
    assert "is there and was kept" in bikecast("notebook", kind, "--no-open")[2]
    assert file.read_text() == "{}"
    bikecast("notebook", kind, "--no-open", "--fresh")
    assert file.read_text() == written
    assert json.loads(written)["metadata"]["kernelspec"]["name"] == "python3"
    assert str(tmp_path) not in written


def test_jupyterlab_takes_the_place_of_the_command(bikecast, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr("pipelines.cli.notebook.find_spec", lambda name: name)
    monkeypatch.setattr(os, "chdir", called.append)
    monkeypatch.setattr(os, "execv", lambda *arguments: called.append(arguments))
    bikecast("notebook", "explore", "--", "--no-browser", "--port=8899")

    lab = [sys.executable, "-m", "jupyterlab"]
    command = [*lab, "explore-bike_rentals.ipynb", "--no-browser", "--port=8899"]
    assert called == [tmp_path / "home" / "notebooks", (sys.executable, command)]


def test_without_jupyterlab_the_notebook_is_written_and_it_is_said_how_to_get_it(
    bikecast, tmp_path, monkeypatch
):
    monkeypatch.setattr("pipelines.cli.notebook.find_spec", lambda name: None)
    code, _, said = bikecast("notebook", "explore")

    assert code == 2
    assert "scripts/setup.sh notebook" in said
    assert (tmp_path / "home" / "notebooks" / "explore-bike_rentals.ipynb").exists()


def test_notebooks_are_published_in_azure_only(bikecast):
    code, _, said = bikecast("notebook", "publish")

    assert code == 2
    assert "Nothing was published. Set BIKECAST_ENV=azure." in said


@pytest.mark.parametrize("spec", [BIKE_RENTALS, COFFEE_SALES], ids=lambda spec: spec.name)
@pytest.mark.parametrize("kind", ["explore", "train"])
def test_the_cells_of_any_model_are_python_or_name_their_language(spec, kind):
    cells = [cell.source for cell in cells_of(kind, spec) if not cell.is_text]

    assert any(spec.name in source for source in cells)
    for source in cells:
        if not source.startswith("%%sql\n"):
            compile(source.removeprefix("%%pyspark\n"), "cell", "exec")
