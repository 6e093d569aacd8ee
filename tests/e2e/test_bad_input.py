"""Bad files end `bikecast run` with exit code 2 and change nothing."""

import shutil

import pytest

from pipelines.environments import sql_pool_for
from pipelines.home import Home
from tests.cli import Cli
from tests.e2e.conftest import TRIALS

slow = pytest.mark.slow
HEADER = (
    "instant,dteday,season,yr,mnth,holiday,weekday,workingday,weathersit,"
    "temp,atemp,hum,windspeed,rentals"
)
GOOD = "1,1/1/2011,1,0,1,0,6,0,2,0.344167,0.363625,0.805833,0.160446,331"
ALIKE = "".join(GOOD.replace("1/1/2011", f"1/{day}/2011") + "\n" for day in range(1, 31))

TABLES = "SELECT * FROM dbo.predicted_rentals ORDER BY forecast_row"
TABLES += "; SELECT * FROM dbo.weather_forecast ORDER BY forecast_row"


def state_of(cli: Cli) -> tuple[list[object], list[tuple[str, bytes]]]:
    """The pool's rows and every file of the lake."""
    home = Home(cli.home)
    with sql_pool_for(home).session() as session:
        rows = [result.rows for result in session.run(TABLES)]
    files = sorted(path for path in home.lake.rglob("*") if path.is_file())
    return rows, [(str(path), path.read_bytes()) for path in files]


@pytest.fixture(scope="module")
def finished_home(main_run, tmp_path_factory) -> Cli:
    """A copy of a finished home, for runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("bad") / "home"
    shutil.copytree(main_run.cli.home, home)
    return Cli(home, TRIALS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + "\n" + GOOD.replace(",1,0,6,", ",13,0,6,") + "\n", ["line 2", "mnth", "13"]),
        (HEADER + "\n" + ALIKE, ["'rentals' is 331 in every row"]),
        # What the door alone refuses: tests/unit/lake/test_door.py has these and many more.
        pytest.param(HEADER.replace(",hum", ",moist") + "\n" + GOOD + "\n", ["hum"], marks=slow),
        pytest.param(HEADER + "\n", ["no row below the column names"], marks=slow),
        pytest.param("", ["empty"], marks=slow),
        pytest.param(f"{HEADER}\n{GOOD}\n{GOOD}\n", ["dteday", "line 3"], marks=slow),
        pytest.param(f"{HEADER}\n{GOOD}\n", ["1 usable row; training needs"], marks=slow),
    ],
    ids=[
        "code out of range",
        "constant target",
        "missing column",
        "header only",
        "empty file",
        "duplicate key",
        "too few rows",
    ],
)
def test_a_bad_training_file_ends_with_code_2_and_changes_nothing(
    finished_home, tmp_path, content, said
):
    bad = tmp_path / "bad.csv"
    bad.write_text(content)
    before = state_of(finished_home)
    done = finished_home("run", "--csv", str(bad))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in [*said, "Correct the file and run again."]:
        assert word in done.stderr
    assert done.stderr.count("Nothing was") == 1
    assert state_of(finished_home) == before


def test_a_forecast_file_that_lacks_a_feature_ends_with_code_2(finished_home, tmp_path):
    bad = tmp_path / "days.csv"
    bad.write_text("season,mnth\n1,12\n")
    before = state_of(finished_home)
    done = finished_home("run", "--forecast", str(bad))
    assert done.returncode == 2
    assert "temp" in done.stderr
    assert state_of(finished_home) == before


def test_the_problems_of_both_files_are_told_at_once(cli, tmp_path):
    for name in ("bad.csv", "days.csv"):
        (tmp_path / name).write_text("season\n1\n")
    files = ("--csv", str(tmp_path / "bad.csv"), "--forecast", str(tmp_path / "days.csv"))
    done = cli("run", *files)
    assert done.returncode == 2
    assert "bad.csv, line 1" in done.stderr
    assert "days.csv, line 1" in done.stderr


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
