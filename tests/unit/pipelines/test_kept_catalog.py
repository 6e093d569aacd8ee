"""What the code defines is kept in the home, and is what Dagster would load now."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from pipelines import model_files
from pipelines.build import build_definitions
from pipelines.catalog import definitions_of, kept_definitions, kept_models
from pipelines.environments import resources_for
from pipelines.home import Home, open_home
from pipelines.model_files import load_models
from pipelines.settings import PROJECT, load_settings


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def forbid(monkeypatch, name):
    def refuse(*_, **__):
        raise AssertionError(f"{name} was called")

    monkeypatch.setattr(name, refuse)


def test_kept_models_are_those_of_the_files(home, monkeypatch):
    models = kept_models(home)
    forbid(monkeypatch, "pipelines.model_files.load_models")

    assert models == load_models()
    assert kept_models(home) == models


def test_a_changed_file_of_a_model_is_read(home, tmp_path, monkeypatch):
    folder = tmp_path / "defs"
    shutil.copytree(model_files.DEFS, folder)
    monkeypatch.setattr(model_files, "DEFS", folder)
    monkeypatch.setattr(model_files, "load_models", lambda: load_models(folder))
    (before,) = kept_models(home)
    (file,) = folder.glob("*/defs.yaml")
    file.write_text(
        file.read_text("utf-8").replace("  target:", "  thresholds: {min_gain: 0.5}\n  target:"),
        "utf-8",
    )

    (after,) = kept_models(home)

    assert before.spec.thresholds.min_gain != after.spec.thresholds.min_gain == 0.5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stamp": 1}', "\0"])
def test_a_damaged_file_costs_the_reading_and_nothing_else(home, text):
    models = kept_models(home)
    (home.root / "models.json").write_text(text, "utf-8")

    assert kept_models(home) == models
    assert json.loads((home.root / "models.json").read_text("utf-8"))["stamp"]


def test_a_home_that_cannot_be_written_is_read_without(home):
    (home.root / "models.json").mkdir()

    assert kept_models(home) == load_models()


def test_kept_definitions_are_dagsters(home, monkeypatch):
    settings, models = load_settings(), load_models()
    defs = build_definitions(settings, resources_for(settings, models), models)
    made = kept_definitions(home, settings, models)
    forbid(monkeypatch, "pipelines.build.build_definitions")

    kept = kept_definitions(home, settings, models)

    assert kept == made == definitions_of(defs)
    assert kept.assets[0].name == "raw_bike_rentals"
    assert kept.assets[0].late_hours > kept.assets[0].warning_hours
    assert {switch.name: switch.on for switch in kept.switches}["automl_run_sensor"]


def test_other_settings_define_other_things(home):
    models = load_models()
    kept_definitions(home, load_settings(), models)

    by_day = kept_definitions(home, load_settings(daily_partitions=True), models)

    assert "predicted_rentals_by_day" in {asset.name for asset in by_day.assets}


LOOK = """
import sys
from pipelines.cli import main
try:
    main()
except SystemExit:
    pass
print("dagster" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("command", [["status", "--json"], ["models"], ["explain", "1"]])
def test_commands_that_only_look_do_not_import_dagster(tmp_path, monkeypatch, command):
    monkeypatch.setenv("BIKECAST_HOME", str(tmp_path / "home"))
    settings = load_settings()
    home = open_home(settings)
    kept_definitions(home, settings, kept_models(home))

    done = subprocess.run(
        [sys.executable, "-c", LOOK, *command],
        cwd=PROJECT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines()[-1] == "False", done.stderr
