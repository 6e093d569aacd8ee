"""The training table by Livy batches, which the fake pool runs for real."""

import json

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_training_csv
from resources.lake.tables import open_table
from resources.spark.port import Preparation, PreparedTable
from tests.azure.cloud.livy import RUN_SECONDS, START_SECONDS, driver_log
from tests.azure.workspace import lake, spark

PREPARATION = Preparation(BIKE_RENTALS, BIKE_RENTALS.source_file, BIKE_RENTALS.training_table_path)


@pytest.fixture
def pool(cloud, tmp_path):
    store(tmp_path, years=1)
    return spark()


def store(folder, content: str | None = None, **options):
    path = folder / "days.csv"
    if content is None:
        write_training_csv(path, **options)
    else:
        path.write_text(content)
    lake().put(BIKE_RENTALS.source_file, path)


def finished(pool, cloud) -> PreparedTable:
    pool.prepare(PREPARATION)
    cloud.clock.advance(RUN_SECONDS)
    prepared = pool.prepare(PREPARATION)
    assert isinstance(prepared, PreparedTable)
    return prepared


def test_a_batch_is_submitted_with_its_code_and_spec_from_the_lake(pool, cloud):
    status = pool.prepare(PREPARATION)

    assert isinstance(status, JobStatus)
    assert status.state is JobState.QUEUED
    assert status.job_id.startswith("bike_data-")
    [post] = cloud.calls("POST", "/sparkPools/sparkpool/batches")
    options = json.loads(post.body)
    assert options["name"] == status.job_id
    assert options["file"].startswith(
        "abfss://files@bikelake.dfs.core.windows.net/jobs/spark/code/"
    )
    assert options["pyFiles"][0].endswith(".zip")
    job = cloud.storage.read("bikelake", "files", f"jobs/spark/{status.job_id}/job.json")
    assert json.loads(job)["spec"]["model_name"] == "rental-prediction-model"


@pytest.mark.calls
def test_a_running_batch_is_joined_and_never_submitted_twice(pool, cloud):
    first = pool.prepare(PREPARATION)
    cloud.clock.advance(START_SECONDS)
    second = pool.prepare(PREPARATION)

    assert second.state is JobState.RUNNING
    assert second.job_id == first.job_id
    assert pool.status(first.job_id).state is JobState.RUNNING
    assert len(cloud.livy.batches) == 1


def test_a_finished_batch_leaves_the_table_with_the_specs_schema(pool, cloud):
    prepared = finished(pool, cloud)

    assert prepared.rows == 365
    assert prepared.delta_version == 0
    assert prepared.changed
    table = open_table(lake(), prepared.path).to_table()
    assert table.schema.equals(arrow_schema(BIKE_RENTALS.training_columns))
    assert table.num_rows == 365


def test_an_input_that_was_prepared_starts_nothing(pool, cloud):
    first = finished(pool, cloud)
    again = pool.prepare(PREPARATION)

    assert (again.data_version, again.changed) == (first.data_version, False)
    assert len(cloud.livy.batches) == 1


def test_the_same_rows_in_another_file_are_no_new_version(pool, cloud, tmp_path):
    first = finished(pool, cloud)
    header, *rows = (tmp_path / "days.csv").read_text().splitlines()
    store(tmp_path, "\n".join([header, *reversed(rows)]) + "\n")
    second = finished(pool, cloud)

    assert second.data_version == first.data_version
    assert second.delta_version == 0
    assert not second.changed


def test_a_file_without_a_usable_row_fails_once_and_then_starts_the_next_attempt(
    pool, cloud, tmp_path
):
    header = (tmp_path / "days.csv").read_text().splitlines()[0]
    store(tmp_path, header + "\n" + "," * header.count(",") + "\n")
    first = pool.prepare(PREPARATION)
    cloud.clock.advance(RUN_SECONDS)

    with pytest.raises(InvalidInput, match=r"no usable row is left of 1\. bike_data is unchanged"):
        pool.prepare(PREPARATION)
    second = pool.prepare(PREPARATION)
    assert second.job_id == first.job_id.removesuffix("-1") + "-2"


def test_a_batch_that_was_killed_is_reported(pool, cloud):
    pool.prepare(PREPARATION)
    cloud.livy.batches[0].state, cloud.livy.batches[0].result = "killed", "Cancelled"

    with pytest.raises(BikecastError, match="is Canceled"):
        pool.prepare(PREPARATION)


TRACEBACK = """\
26/01/02 03:04:05 WARN Utils: Set SPARK_LOCAL_IP if you need to bind to another address
Traceback (most recent call last):
  File "/tmp/1a2b3c.py", line 112, in <module>
    sys.exit(run(SparkSession.builder.getOrCreate(), *sys.argv[1:5]) or None)
  File "pyspark/sql/readwriter.py", line 1463, in save
    self._jwrite.save(path)
"""
PY4J = "py4j.protocol.Py4JJavaError: An error occurred while calling o97.save."
JAVA = "org.apache.spark.SparkException: Job aborted."


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (f"{TRACEBACK}ValueError: no such column: temp", "ValueError: no such column: temp"),
        (f"{TRACEBACK}KeyError", "KeyError"),
        (f"{TRACEBACK}{PY4J}\n: {JAVA}\n\tat org.apache.Spark.main", f"{PY4J}: {JAVA}"),
        (f"{TRACEBACK}ValueError: a\n\nDuring another:\n\n{TRACEBACK}TypeError: b", "TypeError: b"),
        (
            "    self._jwrite.save(path)\nValueError: its head is cut off",
            "ValueError: its head is cut off",
        ),
        (f'Exception in thread "main" {JAVA}\n\tat org.apache.Spark.main', JAVA),
        (
            "26/01/02 03:04:05 INFO Client: all was well",
            "Job failed during run time with state=[dead].",
        ),
    ],
    ids=["python", "bare", "py4j", "twice", "cut", "jvm", "unknown"],
)
def test_the_reason_of_a_dead_batch_is_what_its_driver_printed_last(pool, cloud, printed, reason):
    pool.prepare(PREPARATION)
    [batch] = cloud.livy.batches
    batch.state, batch.result, batch.log = "dead", "Failed", driver_log(printed)

    with pytest.raises(BikecastError) as caught:
        pool.prepare(PREPARATION)
    assert pool.status(batch.options["name"]).error.endswith(reason)
    assert reason in str(caught.value)


def test_a_missing_file_is_named(cloud):
    with pytest.raises(InvalidInput, match=r"no file data/bike-rentals-training\.csv"):
        spark().prepare(PREPARATION)
