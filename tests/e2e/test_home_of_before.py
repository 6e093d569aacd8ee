"""A home that the version before made, when there was one model and no component, still works.

That version is taken out of the repository's history and run on this installation's packages.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli import PROJECT, Cli

pytestmark = pytest.mark.slow

#: The last commit of one model only.
BEFORE = "f7133ac"
PACKAGES = ("pipelines", "assets", "resources", "bikecast", "dagster.yaml", "workspace.yaml")


def checkout(folder: Path) -> Path:
    """The files of that version in a folder; skips where the history does not have it."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("no git, which has the version before")
    archive = folder / "before.tar"
    command = [git, "-C", str(PROJECT), "archive", "-o", str(archive), BEFORE, *PACKAGES]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"the history does not have {BEFORE}: a shallow clone, or no clone")
    place = folder / "before"
    place.mkdir()
    shutil.unpack_archive(archive, place, filter="data")
    return place


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with two versions, of which people made the second one live."""
    folder = tmp_path_factory.mktemp("before")
    old = Cli(folder / "home", trials=2, project=checkout(folder))
    for command in (["run"], ["run", "--retrain"], ["rollback", "2"]):
        done = old(*command, timeout=900)
        assert done.returncode == 0, done.stderr
    return folder / "home"


@pytest.fixture
def cli(home, tmp_path) -> Cli:
    """Today's command line on a copy of that home."""
    shutil.copytree(home, tmp_path / "home")
    return Cli(tmp_path / "home", trials=2)


def answer(cli: Cli, *arguments: str) -> str:
    done = cli(*arguments, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def versions(cli: Cli) -> list[tuple[str, bool]]:
    """The versions, newest first, each with whether it is live."""
    rows = map(str.split, answer(cli, "models").splitlines())
    return [(row[0], row[1] == "live") for row in rows if row and row[0].isdigit()]


def test_the_versions_and_the_live_one_are_listed(cli):
    assert versions(cli) == [("2", True), ("1", False)]


def test_status_shows_the_live_version_and_finds_no_problem(cli):
    health = json.loads(answer(cli, "status", "--json"))
    assert [live["version"] for live in health["live"]] == [2]
    assert health["problems"] == []


def test_a_prediction_is_explained_by_the_run_that_made_it(cli):
    facts = json.loads(answer(cli, "explain", "1", "--json"))
    assert facts["run"]["status"] == "SUCCESS"
    assert facts["training_data"]["prepared by run"]
    assert facts["model"]["digest"] == facts["model"]["digest in the registry"]


def test_a_version_of_then_is_made_live_again(cli):
    assert "Live: version 1" in answer(cli, "rollback", "1")


def test_days_are_scored_again_by_a_version_of_then(cli):
    days = ("--from", "2013-01-01", "--to", "2013-01-02")
    assert "with version 1" in answer(cli, "rescore", *days, "--version", "1")


def test_a_version_of_then_is_carried_to_another_home(cli, tmp_path):
    file = tmp_path / "model.zip"
    answer(cli, "models", "export", "bike_rentals@1", "-o", str(file))
    assert file.stat().st_size


def test_a_run_goes_on_with_the_history(cli):
    """The code that decides a model has changed since, so that the run may train."""
    result = json.loads(answer(cli, "run", "--json"))
    assert len(result["predictions"]) == 10
    assert {"1", "2"} <= dict(versions(cli)).keys()
