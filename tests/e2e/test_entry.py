"""The command line beside packages of other people that have the names of ours."""

import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli import PROJECT, Cli
from tests.ui.dagster_ui import dagster_ui

NAMES = ("pipelines", "assets", "resources", "tests")


@pytest.fixture
def others(tmp_path):
    """A folder in which each of our names is a package that breaks its import."""
    for name in NAMES:
        package = tmp_path / "others" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f'raise ImportError("another {name}")')
    return tmp_path / "others"


@pytest.fixture
def beside(others, tmp_path):
    """Starts a program in that folder, which is in PYTHONPATH too."""
    environment = Cli(tmp_path / "home", trials=2).environment | {"PYTHONPATH": str(others)}

    def start(*command):
        return subprocess.Popen(
            command,
            cwd=others,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def output(process) -> str:
    with process:
        out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


BIKECAST = (sys.executable, "-m", "bikecast")


def test_the_console_script_enters_by_bikecast():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"bikecast": "bikecast.__main__:main"}


def test_help(beside):
    assert "Usage:" in output(beside(*BIKECAST, "--help"))


@pytest.mark.slow
def test_a_run_with_its_training(beside):
    result = json.loads(output(beside(*BIKECAST, "run", "--json")))
    assert result["trained"]
    assert len(result["predictions"]) == 10


def after_the_exports(*command: str) -> tuple[str, ...]:
    return "sh", "-c", f'eval "$({shlex.join(BIKECAST)} env)" && {shlex.join(command)}'


def test_python_finds_our_packages_after_the_exports(beside):
    # -P: as a console script, which does not look into the folder that it is started in
    ours = "import pipelines, assets, resources; print(pipelines.__file__)"
    found = output(beside(*after_the_exports(sys.executable, "-P", "-c", ours)))
    assert Path(found.strip()).parent.parent == PROJECT


@pytest.mark.slow
def test_plain_dagster_after_the_exports(beside):
    dagster = str(Path(sys.executable).with_name("dagster"))
    workspace = str(PROJECT / "workspace.yaml")
    output(beside(*after_the_exports(dagster, "definitions", "validate", "-w", workspace)))


def test_the_exports_have_no_path_where_the_caller_has_none(tmp_path):
    exports = Cli(tmp_path / "home")("env").stdout
    assert "BIKECAST_HOME" in exports
    assert "PYTHONPATH" not in exports


@pytest.mark.slow
def test_the_ui_with_its_code_server(others, tmp_path):
    with dagster_ui(Cli(tmp_path / "home"), PYTHONPATH=str(others)) as ui:
        assert ui.materializations()
