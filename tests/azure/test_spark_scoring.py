"""Scoring by Livy batches, which the fake pool runs for real."""

import json

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.onnx.contract import model_digest
from bikecast.core.onnx.scoring import score_table
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_forecast_csv
from resources.lake.scoring_rows import scoring_rows
from resources.lake.tables import open_table
from resources.spark.port import ScoredTable, ScoringJob, Stamp
from tests.azure.cloud.livy import RUN_SECONDS
from tests.azure.workspace import lake, spark
from tests.unit.sql_pool.onnx_models import weighted_sum

MODEL = weighted_sum(
    {"season": "bigint", "temp": "real", "hum": "real"}, 812.25, output=BIKE_RENTALS.output
)
JOB = ScoringJob(
    spec=BIKE_RENTALS,
    model_path="models/m.onnx",
    model_digest=model_digest(MODEL),
    rows_path="staging/weather_forecast.parquet",
    table_path="tables/predicted_rentals",
    stamp=Stamp(3, "data-1", "code-1", "run-1", "2026-01-02T03:04:05.123456+00:00"),
)


@pytest.fixture
def pool(cloud, tmp_path):
    (tmp_path / "m.onnx").write_bytes(MODEL)
    lake().put("models/m.onnx", tmp_path / "m.onnx")
    write_forecast_csv(tmp_path / "days.csv")
    lake().put(BIKE_RENTALS.scoring_file, tmp_path / "days.csv")
    scoring_rows(lake(), BIKE_RENTALS)
    return spark()


def finished(pool, cloud) -> ScoredTable:
    assert isinstance(pool.score(JOB), JobStatus)
    cloud.clock.advance(RUN_SECONDS)
    done = pool.score(JOB)
    assert isinstance(done, ScoredTable)
    return done


def test_a_batch_scores_the_staged_file_into_a_delta_table(pool, cloud):
    done = finished(pool, cloud)
    table = open_table(lake(), done.path).to_table().sort_by("forecast_row")

    assert (done.rows, done.delta_version, table.num_rows) == (10, 0, 10)
    expected = score_table(MODEL, BIKE_RENTALS, table)
    assert table[BIKE_RENTALS.output].to_pylist() == expected.tolist()
    assert set(table["run_id"].to_pylist()) == {"run-1"}
    assert open_table(lake(), done.path).to_table().schema.names[-1] == "predicted_at"


def test_the_model_goes_through_the_lake_and_only_its_digest_through_livy(pool, cloud):
    status = pool.score(JOB)

    assert status.state is JobState.QUEUED
    [post] = cloud.calls("POST", "/sparkPools/sparkpool/batches")
    options = json.loads(post.body)
    assert options["name"] == status.job_id
    assert options["args"][1].endswith("/models/m.onnx")
    sent = json.loads(
        cloud.storage.read("bikelake", "files", f"jobs/spark/{status.job_id}/job.json")
    )
    assert sent["digest"] == JOB.model_digest


def test_a_running_batch_is_joined_and_a_finished_one_is_not_repeated(pool, cloud):
    first = pool.score(JOB)
    assert pool.score(JOB).job_id == first.job_id
    cloud.clock.advance(RUN_SECONDS)
    done, again = pool.score(JOB), pool.score(JOB)

    assert again == done
    assert len(cloud.livy.batches) == 1


def test_files_of_a_batch_whose_commit_was_lost_are_committed_by_the_next_call(pool, cloud):
    done = finished(pool, cloud)
    for path in cloud.storage.paths("bikelake", "files", f"{done.path}/_delta_log/"):
        del cloud.storage.files["bikelake", "files", path]

    assert pool.score(JOB) == done
    assert open_table(lake(), done.path).to_table().num_rows == 10


def test_a_model_that_was_changed_on_the_way_is_not_loaded(pool, cloud, tmp_path):
    pool.score(JOB)
    cloud.storage.write("bikelake", "files", "models/m.onnx", MODEL + b" ")
    cloud.clock.advance(RUN_SECONDS)

    with pytest.raises(BikecastError, match=r"(?s)is Failed: .*not the one that was checked"):
        pool.score(JOB)
    assert cloud.storage.paths("bikelake", "files", "tables/") == []
    assert pool.score(JOB).job_id.endswith("-2")


def test_rows_that_are_not_there_are_named(cloud):
    with pytest.raises(InvalidInput, match=r"no file staging/weather_forecast\.parquet"):
        spark().score(JOB)
