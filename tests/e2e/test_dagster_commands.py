"""Dagster's own commands in a fresh shell, after `eval "$(bikecast env)"`."""

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster._cli import create_dagster_cli

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.cli.ui import WITHOUT_WORKSPACE
from tests.cli import PROJECT

pytestmark = pytest.mark.slow

COMMANDS = (
    "dg check defs",
    "dg list defs",
    "dg list components",
    "dagster asset list",
    f"dagster asset materialize --select {SPEC.scoring_table}_file",
    "dagster sensor start new_files",
)
STATUS = "bikecast status"  # exit code 1: no version is live


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def warnings(self) -> list[str]:
        """Lines with a warning that no library writes."""
        lines = [line for line in self.err.splitlines() if "warning" in line.lower()]
        return [line for line in lines if "site-packages" not in line]


def in_a_fresh_shell(folder: Path, home: Path, *commands: str, **variables: str) -> list[Answer]:
    """What commands answer in bash, with nothing but PATH and HOME in the environment.

    Pipes are no terminal, so Dagster's tables are as wide as COLUMNS.
    """
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    exported = {"PATH": path, "HOME": str(home.parent), "COLUMNS": "200", **variables}
    lines = [f"export BIKECAST_HOME={shlex.quote(str(home))}", 'eval "$(bikecast env)"']
    files = home.parent / "answers"
    files.mkdir()
    for number, command in enumerate(commands):
        place = shlex.quote(str(files / str(number)))
        lines.append(f"{command} >{place}.out 2>{place}.err </dev/null; echo $? >{place}.code")
    subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)],
        cwd=folder,
        env=exported,
        check=True,
        timeout=900,
    )
    return [
        Answer(int(code), *((files / f"{n}.{kind}").read_text("utf-8") for kind in ("out", "err")))
        for n, code in enumerate((files / f"{n}.code").read_text() for n in range(len(commands)))
    ]


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, Answer]:
    home = tmp_path_factory.mktemp("shell") / "home"
    commands = (*COMMANDS, STATUS)
    return dict(zip(commands, in_a_fresh_shell(PROJECT, home, *commands), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_dagster_ends_well_and_without_a_warning_of_ours(answers, command):
    """Guards the fault that `dagster asset list` ended with "Invalid set of CLI arguments"."""
    answer = answers[command]
    assert answer.code == 0, answer.err
    assert answer.warnings == []


def test_the_lists_have_assets_and_the_component(answers):
    assert SPEC.training_table in answers["dagster asset list"].out.split()
    assert SPEC.training_table in answers["dg list defs"].out
    assert "pipelines.component.ForecastModel" in answers["dg list components"].out


def test_a_sensor_that_dagster_starts_is_on_for_bikecast_too(answers):
    """Guards the fault that it was started for a location that `bikecast ui` does not have."""
    lines = answers[STATUS].out.splitlines()
    [words] = [line.split() for line in lines if "new_files" in line]
    assert words[-1] == "on"


def test_assets_are_listed_from_another_folder_as_well(tmp_path):
    [answer] = in_a_fresh_shell(tmp_path, tmp_path / "home", "dagster asset list")
    assert SPEC.training_table in answer.out.split(), answer.err


def test_the_project_loads_without_the_bike_model(tmp_path):
    """A copy of the project, before whose packages PYTHONPATH puts no others."""
    copy = tmp_path / "copy"
    left_out = shutil.ignore_patterns(".*", "tests", "docs", "benchmarks", "bike_rentals")
    shutil.copytree(PROJECT, copy, ignore=left_out)
    commands = ("dg check defs", "dagster asset list")
    home = tmp_path / "home"
    checked, assets = in_a_fresh_shell(copy, home, *commands, PYTHONPATH=str(copy))
    assert (checked.code, checked.warnings) == (0, []), checked.err
    assert (assets.code, assets.out.strip()) == (0, ""), assets.err


def test_each_command_that_looks_into_no_workspace_is_told_where_the_definitions_are():
    def commands(command, *path):
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                yield from commands(child, *path, name)
        else:
            yield "_".join(path).upper().replace("-", "_"), {each.name for each in command.params}

    found = dict(commands(create_dagster_cli()))
    pointed = {name for name, options in found.items() if "module_name" in options}
    servers = {"API_GRPC", "CODE_SERVER_START"}  # started with options
    in_no_workspace = {name for name in pointed if "workspace" not in found[name]} - servers
    assert in_no_workspace == set(WITHOUT_WORKSPACE)
