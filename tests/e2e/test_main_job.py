"""`bikecast run` from an empty home, as its users start it."""

import csv
import json
import shutil

import numpy as np
import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import registry_for, sql_pool_for
from pipelines.home import Home
from tests.e2e.conftest import run_json


def onnx_scores(cli, version: int, rows: list[dict]) -> np.ndarray:
    """Scores of rows by ONNX Runtime on a registered version, outside the pool."""
    import onnxruntime

    model = registry_for(Home(cli.home)).download(SPEC.model_name, version)
    types = {"bigint": np.int64, "real": np.float32}
    feed = {
        c.name: np.array([[row[c.name]] for row in rows], types[c.sql_type]) for c in SPEC.features
    }
    return onnxruntime.InferenceSession(model).run([SPEC.output], feed)[0].ravel()


def assert_ten_forecasts_of_a_first_model(result: dict) -> None:
    assert [row["forecast_row"] for row in result["predictions"]] == list(range(1, 11))
    assert all(row["variable_out1"] > 0 for row in result["predictions"])
    assert {row["model_version"] for row in result["predictions"]} == {1}
    assert result["model"]["name"] == "rental-prediction-model"
    assert result["model"]["version"] == 1
    assert result["trained"] is True


def test_ten_forecasts_are_made_by_a_registered_model(main_run):
    assert_ten_forecasts_of_a_first_model(main_run.result)


@pytest.mark.slow
def test_the_simulated_sample_gives_ten_forecasts_too(cli):
    assert_ten_forecasts_of_a_first_model(run_json(cli).result)


def test_the_result_has_leaderboard_scores_and_seconds(main_run):
    result = main_run.result
    assert len(result["leaderboard"]) >= 3
    assert set(result["scores"]) == {"cv", "holdout", "time_ordered"}
    assert all(0 < score["spearman"] <= 1 for score in result["scores"].values())
    assert {"bike_data", "training", "predicted_rentals", "total"} <= set(result["seconds"])


def test_progress_goes_to_standard_error_without_noise(main_run):
    lines = [line for line in main_run.stderr.splitlines() if line.strip()]
    assert any("bike_data" in line for line in lines)
    noise = [line for line in lines if not line.startswith(("done ", "  ", "warning "))]
    assert noise == []


def test_the_procedure_scores_as_onnx_runtime_does(main_run):
    done = main_run.cli("sql", "EXEC dbo.predict_rentals", "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 10
    expected = onnx_scores(main_run.cli, 1, rows)
    assert [row["variable_out1"] for row in rows] == pytest.approx(expected, rel=1e-6)


def test_the_sql_command_prints_tables_csv_and_json(main_run):
    query = "SELECT TOP 2 forecast_row, model_version FROM dbo.predicted_rentals ORDER BY 1"
    as_csv = main_run.cli("sql", query, "--format", "csv").stdout
    assert as_csv == "forecast_row,model_version\n1,1\n2,1\n"
    assert "forecast_row" in main_run.cli("sql", query).stdout
    assert json.loads(main_run.cli("sql", query, "--format", "json").stdout)[1] == {
        "forecast_row": 2,
        "model_version": 1,
    }


def test_a_wrong_query_is_an_error_with_sql_servers_number(main_run):
    done = main_run.cli("sql", "SELECT * FROM dbo.nothing")
    assert done.returncode == 1
    assert "Msg 208" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_models_command_lists_the_live_version(main_run):
    done = main_run.cli("models")
    assert done.returncode == 0, done.stderr
    assert "live" in done.stdout


def test_the_predict_command_scores_a_csv_by_the_registered_model(main_run, tmp_path):
    rows = main_run.cli("sql", "EXEC dbo.predict_rentals", "--format", "csv").stdout
    (tmp_path / "days.csv").write_text(rows)
    files = ("--csv", str(tmp_path / "days.csv"), "-o", str(tmp_path / "scored.csv"))
    done = main_run.cli("predict", "--model", f"{SPEC.model_name}@1", *files)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "scored.csv").open(newline="") as file:
        scored = list(csv.DictReader(file))
    expected = [float(row[SPEC.output]) for row in scored]
    assert [float(row["prediction"]) for row in scored] == pytest.approx(expected, rel=1e-5)


def test_the_lab_files_give_ten_forecasts_and_say_that_they_repeat_training_rows(lab_run):
    result = lab_run.result
    assert len(result["predictions"]) == 10
    assert result["scores"]["holdout"]["spearman"] > 0.8
    assert any("10 of 10 rows" in warning for warning in result["warnings"])
    assert any("hum" in warning for warning in result["warnings"])


def test_a_second_run_on_unchanged_data_trains_nothing(main_run, cli):
    shutil.copytree(main_run.cli.home, cli.home)
    second = run_json(cli, *main_run.arguments).result
    assert second["trained"] is False
    assert second["model"] == main_run.result["model"]
    first, again = (
        [row["variable_out1"] for row in result["predictions"]]
        for result in (main_run.result, second)
    )
    assert first == again
    versions = registry_for(Home(cli.home)).versions(SPEC.model_name)
    assert [version.version for version in versions] == [1]

    third = run_json(cli, *main_run.arguments)

    assert third.stderr.startswith("Nothing to do: all is as run ")
    assert list(third.result["seconds"]) == ["total"]
    assert {**third.result, "seconds": 0} == {**second, "seconds": 0}


def test_the_pool_keeps_provenance_of_each_prediction(main_run):
    with sql_pool_for(Home(main_run.cli.home)).session() as session:
        [rows] = session.run("SELECT DISTINCT model_digest, run_id FROM dbo.predicted_rentals")
    [(digest, run_id)] = rows.rows
    assert digest == main_run.result["model"]["digest"]
    assert run_id == main_run.result["run_ids"][-1]
