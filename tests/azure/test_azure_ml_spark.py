"""Preparation and scoring as Spark jobs of Azure ML, which the fake service runs for real."""

from time import sleep

import dagster as dg
import pytest
from azure.ai.ml._utils import _experimental

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState, JobStatus
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_training_csv
from resources.spark.azure_ml import AzureMlSpark
from resources.spark.port import Preparation, PreparedTable
from resources.spark.synapse import SynapseSpark
from tests.azure.cloud import faults
from tests.azure.cloud.spark_jobs import RUN_SECONDS
from tests.azure.environment import Location
from tests.azure.test_job_logs import run_log
from tests.azure.workspace import PLACE, lake

PREPARATION = Preparation(BIKE_RENTALS, BIKE_RENTALS.source_file, BIKE_RENTALS.training_table_path)


def spark(**changes):
    return AzureMlSpark(
        workspace="bikesynapse",
        pool="sparkpool",
        lake=lake(),
        subscription_id=PLACE["subscription_id"],
        resource_group=PLACE["resource_group"],
        ml_workspace=PLACE["workspace"],
        **changes,
    )


@pytest.fixture
def days(cloud, tmp_path):
    write_training_csv(tmp_path / "days.csv", years=1)
    lake().put(BIKE_RENTALS.source_file, tmp_path / "days.csv")
    return cloud


def finished(here, cloud):
    assert isinstance(here.prepare(PREPARATION), JobStatus)
    cloud.clock.advance(RUN_SECONDS)
    done = here.prepare(PREPARATION)
    assert isinstance(done, PreparedTable)
    return done


@pytest.mark.calls
def test_a_job_on_the_attached_pool_makes_the_table(days):
    done = finished(spark(compute="synapsespark"), days)
    [job] = days.spark_jobs.jobs.values()

    assert (done.rows, done.changed) == (365, True)
    assert job.name.startswith("bike_data-")
    assert job.properties["computeId"].endswith("/computes/synapsespark")
    assert job.properties["conf"]["spark.executor.instances"] == "2"
    assert job.properties.get("resources") is None


def test_serverless_spark_gets_a_machine_and_a_runtime(days):
    status = spark().prepare(PREPARATION)

    [job] = days.spark_jobs.jobs.values()
    assert (status.job_id, status.state) == (job.name, JobState.QUEUED)
    machine = {"instanceType": "standard_e4s_v3", "runtimeVersion": "3.5"}
    assert job.properties["resources"] == machine
    assert job.properties.get("computeId") is None


def test_a_livy_batch_and_a_spark_job_have_the_same_name_for_the_same_work(days):
    by_livy = SynapseSpark(workspace="bikesynapse", pool="sparkpool", lake=lake())

    assert by_livy.prepare(PREPARATION).job_id == spark().prepare(PREPARATION).job_id


def test_who_asks_again_joins_the_job_of_the_name(days):
    first, second = spark().prepare(PREPARATION), spark().prepare(PREPARATION)

    assert first.job_id == second.job_id
    assert len(days.calls("PUT", "/workspaces/bikeml/jobs/")) == 1


def test_a_submission_whose_answer_is_lost_is_joined(days):
    days.faults.add("PUT", "/workspaces/bikeml/jobs/", faults.INTERNAL, late=True)

    assert spark().prepare(PREPARATION).state is JobState.QUEUED
    assert len(days.spark_jobs.jobs) == 1


def test_a_canceled_job_starts_the_next_attempt(days):
    here = spark()
    first = here.prepare(PREPARATION)
    assert here.cancel(first.job_id).state is JobState.CANCELED

    assert here.prepare(PREPARATION).job_id == first.job_id.removesuffix("-1") + "-2"


def test_a_failed_job_is_raised_once_with_its_reason_and_link(days):
    here = spark()
    job = days.spark_jobs.jobs[here.prepare(PREPARATION).job_id]
    job.status, job.error = "Failed", "The nodes were lost."

    with pytest.raises(BikecastError, match=r"The nodes were lost.*ml.azure.com/runs"):
        here.prepare(PREPARATION)
    assert here.prepare(PREPARATION).job_id.endswith("-2")


def test_a_failed_job_says_what_its_driver_printed(days):
    here = spark()
    here.prepare(PREPARATION)
    [main] = [each for each in days.storage.files if each[2].endswith("main.py")]
    days.storage.write(*main, b"raise ValueError('the driver broke')")
    days.clock.advance(RUN_SECONDS)

    log = run_log(lambda: here.prepare(PREPARATION))
    [printed] = [text for text in log if "printed" in text]
    assert "[driver/stdout]" in printed
    assert "the driver broke" in printed
    assert "https://ml.azure.com/runs/bike_data-" in printed


def test_no_warning_tells_which_of_microsofts_classes_are_experimental(days, caplog):
    """azure-ai-ml warns once a process of each that is used."""
    _experimental._warning_cache.clear()
    spark(compute="synapsespark").prepare(PREPARATION)

    assert "experimental" not in caplog.text


def test_a_job_over_its_limit_is_canceled(days):
    here = spark(limit_seconds=0.001)
    status = here.prepare(PREPARATION)
    sleep(0.01)

    assert "longer than its limit" in here.status(status.job_id).error
    assert days.spark_jobs.jobs[status.job_id].status == "Canceled"


def test_a_refusal_names_the_role_and_the_table(days):
    days.faults.add("PUT", "/workspaces/bikeml/jobs/", faults.FORBIDDEN)

    with pytest.raises(BikecastError, match=r"AzureML Data Scientist") as caught:
        spark().prepare(PREPARATION)
    assert "bike_data is unchanged" in str(caught.value)


@pytest.mark.slow
def test_the_chain_goes_through_spark_jobs_of_azure_ml(user, monkeypatch):
    monkeypatch.setenv("BIKECAST_SPARK_VIA", "azureml")
    monkeypatch.setenv("BIKECAST_SCORING", "spark")
    with dg.DagsterInstance.ephemeral() as instance:
        location = Location.load(instance)
        assert location.run().success
        runs = location.carry_on(user)

        assert all(run.success for run in runs)
        assert "predicted_rentals" in location.materialized()
    names = sorted(name.split("-")[0] for name in user.spark_jobs.jobs)
    assert names == ["bike_data", "predicted_rentals"]
    assert user.livy.batches == []
