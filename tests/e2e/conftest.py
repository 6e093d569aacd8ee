import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import LAB_FORECAST, LAB_REASON, LAB_TRAINING, Cli

LAB_FILES = ("--csv", str(LAB_TRAINING), "--forecast", str(LAB_FORECAST))
#: A training of a few models: these tests are about what is around it.
TRIALS = 3


@dataclass(frozen=True)
class CompletedRun:
    """A home after `bikecast run --json`, and what that printed."""

    cli: Cli
    arguments: tuple[str, ...]
    result: dict
    stderr: str


def run_json(cli: Cli, *arguments: str) -> CompletedRun:
    done = cli("run", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return CompletedRun(cli, arguments, json.loads(done.stdout), done.stderr)


@pytest.fixture(scope="session")
def main_run(tmp_path_factory) -> CompletedRun:
    """The main job in an empty home, on the lab's files where they are there, else on the sample.

    Tests leave this home as it is: one that changes it takes a copy.
    """
    cli = Cli(tmp_path_factory.mktemp("main") / "home", TRIALS)
    return run_json(cli, *(LAB_FILES if LAB_TRAINING.exists() else ()))


@pytest.fixture
def lab_run(main_run) -> CompletedRun:
    """The main job on the lab's own files."""
    if not LAB_TRAINING.exists():
        pytest.skip(LAB_REASON)
    return main_run


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line on an empty home."""
    return Cli(tmp_path / "home", TRIALS)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB that can be made larger; only root may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False
    ).returncode:
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
