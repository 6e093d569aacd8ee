"""Bad files end `bikecast run` with exit code 2 and change nothing."""

import shutil
from pathlib import Path

import pytest

from tests.cli import Cli

HEADER = (
    "instant,dteday,season,yr,mnth,holiday,weekday,workingday,weathersit,"
    "temp,atemp,hum,windspeed,rentals"
)
GOOD = "1,1/1/2011,1,0,1,0,6,0,2,0.344167,0.363625,0.805833,0.160446,331"


def rows_of(home: Path, cli: Cli) -> str:
    return cli("sql", "SELECT * FROM dbo.predicted_rentals ORDER BY forecast_row").stdout


@pytest.fixture(scope="module")
def finished_home(sample_run, tmp_path_factory) -> Cli:
    """A copy of a finished home, for runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("bad") / "home"
    shutil.copytree(sample_run.cli.home, home)
    return Cli(home)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + "\n" + GOOD.replace(",1,0,6,", ",13,0,6,") + "\n", ["line 2", "mnth", "13"]),
        (HEADER.replace(",hum", ",moist") + "\n" + GOOD + "\n", ["hum"]),
        (HEADER + "\n", ["no row below the column names"]),
        ("", ["empty"]),
        (HEADER + "\n" + GOOD + "\n" + GOOD + "\n", ["dteday", "line 3"]),
    ],
    ids=["code out of range", "missing column", "header only", "empty file", "duplicate key"],
)
def test_a_bad_training_file_ends_with_code_2_and_changes_nothing(
    finished_home, tmp_path, content, said
):
    bad = tmp_path / "bad.csv"
    bad.write_text(content)
    before = rows_of(finished_home.home, finished_home)
    done = finished_home("run", "--csv", str(bad))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in said:
        assert word in done.stderr
    assert rows_of(finished_home.home, finished_home) == before


def test_a_forecast_file_that_lacks_a_feature_ends_with_code_2(finished_home, tmp_path):
    bad = tmp_path / "days.csv"
    bad.write_text("season,mnth\n1,12\n")
    done = finished_home("run", "--forecast", str(bad))
    assert done.returncode == 2
    assert "temp" in done.stderr


def test_a_file_that_does_not_exist_ends_with_code_2(cli):
    done = cli("run", "--csv", "no-such-file.csv")
    assert done.returncode == 2
    assert "no-such-file.csv" in done.stderr


def test_a_wrong_setting_ends_with_code_2(cli, monkeypatch):
    monkeypatch.setattr(
        Cli, "environment", {**cli.environment, "BIKECAST_BUDGET": "soon"}, raising=True
    )
    done = cli("run")
    assert done.returncode == 2
    assert "BIKECAST_BUDGET" in done.stderr


@pytest.mark.parametrize("command", ["run", "ui", "sql", "models", "simulate", "fetch-lab-data"])
def test_every_command_has_help(cli, command):
    done = cli(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 300
