"""Three models by the command line, in this process; `bikecast new-model` has made two of them."""

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import model_files, new_model
from pipelines.cli.app import main
from pipelines.environments import local_resources
from pipelines.installation import open_installation
from pipelines.model_files import DEFS, load_models
from pipelines.settings import load_settings
from tests.three_models import AGAIN, changed, home_state, make_models

pytestmark = pytest.mark.slow

#: Rows that each model's first run scores.
SCORED = {"bike_rentals": 10, "trips": 144, "coffee": 6}
Bikecast = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def bikecast(tmp_path_factory) -> Bikecast:
    """Calls `bikecast` on an empty home and three models; returns exit code, output and errors."""
    folder = tmp_path_factory.mktemp("three")
    defs = folder / "defs"
    shutil.copytree(DEFS / "bike_rentals", defs / "bike_rentals")

    def call(*arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        patch.setattr(sys, "argv", ["bikecast", *arguments])
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        return ended.value.code or 0, out.getvalue(), err.getvalue()

    with pytest.MonkeyPatch.context() as patch:
        for function in ("load_models", "model_files", "other_definitions", "shown_problems"):
            patch.setattr(getattr(model_files, function), "__defaults__", (defs,))
        patch.setattr(new_model.make_model, "__defaults__", (defs,))
        for name, value in variables(folder).items():
            patch.setenv(name, value)
        make_models(lambda *arguments: answer(call, *arguments), folder, defs)
        call.folder = folder
        yield call


def variables(folder: Path) -> dict[str, str]:
    return {"BIKECAST_HOME": str(folder / "home"), "BIKECAST_MAX_TRIALS": "1", "DAGSTER_HOME": ""}


@pytest.fixture(autouse=True)
def same_home(clean_environment, bikecast, monkeypatch):
    """The settings of the module's fixtures, which each test's clean environment lacks."""
    for name, value in variables(bikecast.folder).items():
        monkeypatch.setenv(name, value)


def answer(bikecast: Bikecast, *arguments: str) -> str:
    code, out, err = bikecast(*arguments)
    assert code == 0, out + err
    return out


def state() -> dict[str, str]:
    """Everything of the home by name."""
    settings, models = load_settings(), load_models()
    with open_installation(settings, local_resources(settings, models), models) as here:
        return home_state(here)


@pytest.fixture(scope="module")
def made(bikecast) -> dict[str, set[str]]:
    """What the first run of each model has made, by model."""
    made, before = {}, state()
    for name, rows in SCORED.items():
        result = json.loads(answer(bikecast, "run", "--model", name, "--json"))
        assert (result["trained"], len(result["predictions"])) == (True, rows)
        after = state()
        made[name], before = changed(before, after), after
    return made


def test_the_files_of_new_models_are_right(bikecast):
    answer(bikecast, "check")


def test_each_first_run_makes_only_what_is_new(made):
    bikes, trips, coffee = made.values()
    assert not (bikes & trips) | (trips & coffee) | (bikes & coffee)
    assert {"table dbo.predicted_trips", "asset trips_model", "version trips-model 1"} <= trips


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize("act", ["rescore", "retrain and rollback"])
def test_what_a_command_does_with_one_model_changes_nothing_of_another(bikecast, made, name, act):
    before = state()
    if act == "rescore":
        first, last = AGAIN[name]
        said = answer(bikecast, "rescore", "--model", name, "--from", first, "--to", last)
        assert "with version 1" in said
    else:
        answer(bikecast, "run", "--model", name, "--retrain", "--promote")
        assert "Live: version 1" in answer(bikecast, "rollback", "1", "--model", name)
    touched = changed(before, state())
    assert touched
    others = set().union(*(names for other, names in made.items() if other != name))
    assert touched & others == set()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("bike_rentals", "rental-prediction-model"),
        ("trips", "trips-model"),
        ("coffee", "coffee-model"),
    ],
)
def test_a_prediction_is_explained_by_its_own_model(bikecast, made, name, model):
    facts = json.loads(answer(bikecast, "explain", "2", "--model", name, "--json"))
    assert facts["model"]["name"] == model
    assert facts["prediction"]["forecast_row"] == 2
    assert facts["source_line"]["line"] == 3


def test_a_day_with_several_rows_is_explained_by_the_number_of_a_row(bikecast, made):
    """Guards the fault that the first hour stood for the whole day."""
    code, _, errors = bikecast("explain", "2024-01-02", "--model", "trips")
    assert code == 2
    assert "Several predictions have day 2024-01-02" in errors
    assert "25, 26" in errors


def test_the_list_of_models_and_the_status_show_all_three(bikecast, made):
    listed = answer(bikecast, "models")
    live = json.loads(bikecast("status", "--json")[1])["live"]
    assert len(live) == len(SCORED)
    for model in ("rental-prediction-model", "trips-model", "coffee-model"):
        assert model in listed
        assert model in {entry["model"] for entry in live}
