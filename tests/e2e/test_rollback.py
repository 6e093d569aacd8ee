"""Promotion and rollback from the command line, with models that the pipeline trained."""

import json
from datetime import datetime

import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from tests.cli import Cli
from tests.e2e.conftest import CompletedRun, run_json

pytestmark = pytest.mark.slow

VOLATILE = ("run_id", "predicted_at")


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory) -> tuple[CompletedRun, CompletedRun]:
    """A home after a training and a retraining on the same data."""
    cli = Cli(tmp_path_factory.mktemp("two") / "home", trials=2)
    return run_json(cli), run_json(cli, "--retrain")


def stored(run: CompletedRun) -> list[dict]:
    return [
        {name: value for name, value in row.items() if name not in VOLATILE}
        for row in run.result["predictions"]
    ]


def audit(cli: Cli) -> list[dict]:
    query = f"SELECT * FROM dbo.{SPEC.model_table}_audit ORDER BY entry"
    rows: list[dict] = json.loads(cli("sql", query, "--format", "json").stdout)
    return rows


def test_a_retraining_on_the_same_data_says_which_version_is_live_and_why(two_versions):
    _, second = two_versions
    live, candidate = second.result["model"]["version"], second.result["candidate"]
    assert candidate["version"] == 2
    assert {row["model_version"] for row in second.result["predictions"]} == {live}
    assert candidate["live"] is (live == 2)
    word = "beats" if candidate["live"] else "version 2"
    assert word in candidate["decision"]


def test_a_rollback_restores_byte_equal_predictions(two_versions):
    first, second = two_versions
    cli = first.cli
    live = second.result["model"]["version"]
    other = 3 - live
    done = cli("rollback", str(other))
    assert done.returncode == 0, done.stderr
    assert f"Live: version {other}" in done.stdout
    third = run_json(cli)
    assert {row["model_version"] for row in third.result["predictions"]} == {other}
    assert third.result["trained"] is False
    assert cli("rollback", str(live)).returncode == 0
    fourth = run_json(cli)
    assert stored(fourth) == stored(second)
    assert [row["action"] for row in audit(cli)][-2:] == ["rollback", "rollback"]
    assert cli("models").stdout.count("live") >= 1


def test_a_rollback_to_an_unknown_version_ends_with_code_2(two_versions):
    done = two_versions[0].cli("rollback", "99")
    assert done.returncode == 2
    assert "has no version 99" in done.stderr


def test_explain_walks_from_a_prediction_to_its_source_line(two_versions):
    cli = two_versions[0].cli
    done = cli("explain", "2013-01-02", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["prediction"]["forecast_row"] == 2
    made = datetime.fromisoformat(found["model"]["created"])
    live = datetime.fromisoformat(found["why_live"][0]["when"])
    assert made < live < datetime.fromisoformat(found["prediction"]["predicted_at"])
    assert found["model"]["digest"] == found["model"]["digest in the registry"]
    assert found["run"]["status"] == "SUCCESS"
    assert found["training_data"]["source lines"] == "2 to 732"
    assert found["source_line"]["line"] == 3
    assert found["source_line"]["text"].startswith("1/2/2013,")
    assert cli("explain", "1999-01-01").returncode == 2


def test_status_shows_the_live_model_and_the_switches(two_versions):
    done = two_versions[0].cli("status", "--json")
    found = json.loads(done.stdout)
    assert found["live"][0]["version"] in (1, 2)
    assert found["pending_jobs"] == []
    on = {each["name"]: each["on"] for each in found["switches"]}
    assert on == {
        "automl_run_sensor": "on",
        "cancel_automl_run": "on",
        "new_files": "off",
        "automation": "off",
        "check_alerts": "off",
        "retrain_on_drift": "off",
        "rollback_bad_model": "off",
        "failure_alerts": "off",
        "weekly_retraining": "off",
        "daily_scoring": "off",
    }
    assert {each["state"] for each in found["assets"]} == {"fresh"}
