"""Jobs are submitted once, whatever is lost on the way and whoever dies."""

import json
import logging
import signal
import time
from urllib.parse import quote

import pytest

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState
from pipelines.bike_rentals import BIKE_RENTALS
from resources.spark.livy import Batches
from resources.spark.port import Preparation
from tests.azure.cloud import faults
from tests.azure.cloud.livy import START_SECONDS
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.killed_worker import worker
from tests.azure.test_spark import store
from tests.azure.workspace import (
    ACCOUNT,
    CONTAINER,
    automl,
    power,
    spark,
    training_request,
    write_training_table,
)

PREPARATION = Preparation(BIKE_RENTALS, BIKE_RENTALS.source_file, BIKE_RENTALS.training_table_path)


@pytest.fixture
def pool(cloud, tmp_path):
    store(tmp_path, years=1)
    return spark()


def later(cloud, name: str, seconds: float) -> None:
    """Let the record of a submission be so much older."""
    path = f"jobs/spark/{name}/submission.json"
    record = json.loads(cloud.storage.read(ACCOUNT, CONTAINER, path))
    record["at"] -= seconds
    cloud.storage.write(ACCOUNT, CONTAINER, path, json.dumps(record).encode())


@pytest.mark.parametrize("answer", [faults.DROPPED, faults.INTERNAL], ids=["dropped", "500"])
def test_a_batch_that_livy_took_although_it_answered_with_an_error_is_found(pool, cloud, answer):
    cloud.faults.add("POST", "/batches", answer, late=True)

    assert pool.prepare(PREPARATION).state is JobState.QUEUED
    assert pool.prepare(PREPARATION).state is JobState.QUEUED
    assert len(cloud.livy.batches) == 1


def test_a_submission_that_livy_lost_is_an_error_and_is_made_again_after_the_lag(pool, cloud):
    cloud.faults.add("POST", "/batches", faults.INTERNAL)

    with pytest.raises(BikecastError, match="bike_data is unchanged"):
        pool.prepare(PREPARATION)
    waiting = pool.prepare(PREPARATION)
    assert waiting.state is JobState.QUEUED
    assert cloud.livy.batches == []
    later(cloud, waiting.job_id, pool.lag_seconds)
    assert pool.prepare(PREPARATION).job_id == waiting.job_id
    assert len(cloud.livy.batches) == 1


def test_a_busy_livy_is_asked_again(pool, cloud):
    cloud.faults.add("POST", "/batches", faults.TOO_MANY)

    assert pool.prepare(PREPARATION).state is JobState.QUEUED
    assert len(cloud.livy.batches) == 1


def test_a_batch_that_is_not_listed_yet_is_not_submitted_again(pool, cloud):
    cloud.livy.listing_lag = 60.0
    first = pool.prepare(PREPARATION)
    second = pool.prepare(PREPARATION)

    assert (first.job_id, second.state) == (second.job_id, JobState.QUEUED)
    assert len(cloud.livy.batches) == 1


def busy(cloud, count: int) -> None:
    """Let the pool have so many older batches of somebody else."""
    for number in range(count):
        batch = cloud.livy.add({"name": f"somebody-{number}", "file": "f"})
        batch.state, batch.result = "success", "Succeeded"
        batch.started -= 3600


@pytest.mark.parametrize("before", [0, 50, pytest.param(1_050, marks=pytest.mark.slow)])
def test_a_late_twin_is_detected_canceled_and_reported(pool, cloud, caplog, before):
    busy(cloud, before)
    cloud.livy.listing_lag = 600.0
    cloud.faults.add("POST", "/batches", faults.DROPPED, late=True)
    with pytest.raises(BikecastError):
        pool.prepare(PREPARATION)
    later(cloud, cloud.livy.batches[-1].options["name"], pool.lag_seconds)
    second = pool.prepare(PREPARATION)
    assert len(cloud.livy.batches) == before + 2
    cloud.livy.listing_lag = 0.0

    with caplog.at_level(logging.WARNING):
        status = pool.status(second.job_id)

    twin, ours = cloud.livy.batches[before:]
    assert status.progress["livy_id"] == ours.id
    assert status.progress["canceled_twins"] == [twin.id]
    assert "was submitted twice" in caplog.text
    assert (twin.state, ours.state) == ("error", "not_started")
    assert all(batch.state == "success" for batch in cloud.livy.batches[:before])


@pytest.mark.calls
def test_a_batch_beyond_its_limit_is_canceled_and_reported(pool, cloud):
    first = pool.prepare(PREPARATION)
    later(cloud, first.job_id, pool.limit_seconds + 1)

    assert pool.status(first.job_id).state is JobState.CANCELED
    assert cloud.livy.batches[0].result == "Cancelled"
    assert "longer than its limit" in pool.status(first.job_id).error


@pytest.mark.calls
def test_a_batch_that_is_lost_is_reported_and_not_started_again(pool, cloud):
    first = pool.prepare(PREPARATION)
    cloud.livy.batches.clear()
    later(cloud, first.job_id, pool.lag_seconds)
    asked = Preparation(
        BIKE_RENTALS, BIKE_RENTALS.source_file, BIKE_RENTALS.training_table_path, first.job_id
    )

    with pytest.raises(BikecastError, match="does not list it any more"):
        pool.prepare(asked)
    assert cloud.livy.batches == []


def killed(work: str, folder, cloud, method: str, where: str, *, late: bool) -> None:
    """Let a worker die with signal 9 before or after the cloud has done what it asked for."""
    with worker(work, folder) as process:
        cloud.faults.add(method, where, faults.DROPPED, late=late, then=process.kill)
        assert process.wait(timeout=120) == -signal.SIGKILL
    cloud.faults.clear()


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_worker_killed_at_its_submission_leaves_one_training(cloud, tmp_path, late):
    write_training_table(tmp_path)
    killed("training", tmp_path, cloud, "PUT", "/jobs/job-1", late=late)
    assert len(cloud.machine_learning.jobs) == late

    assert automl(tmp_path).submit(training_request("job-1")).state is JobState.QUEUED
    assert len(cloud.machine_learning.jobs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_worker_killed_at_its_submission_leaves_one_batch(pool, cloud, tmp_path, late):
    killed("spark", tmp_path, cloud, "POST", "/batches", late=late)
    assert len(cloud.livy.batches) == late

    waiting = pool.prepare(PREPARATION)
    assert waiting.state is JobState.QUEUED
    later(cloud, waiting.job_id, pool.lag_seconds)
    assert pool.prepare(PREPARATION).job_id == waiting.job_id
    assert len(cloud.livy.batches) == 1


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_worker_killed_while_it_resumes_the_pool_leaves_a_lease_that_pauses_it(
    cloud, tmp_path, late
):
    killed("lease", tmp_path, cloud, "POST", "/resume", late=late)
    cloud.clock.advance(SWITCH_SECONDS)
    switch = power()
    assert set(switch.leases()) == {"run-1"}
    assert time.time() - switch.leases()["run-1"] < 300

    assert switch.release("run-1") is late
    cloud.clock.advance(SWITCH_SECONDS)
    assert cloud.sql_pools.state() == "Paused"


def test_a_batch_that_was_canceled_on_demand_is_not_reported_as_a_failure(pool, cloud):
    first = pool.prepare(PREPARATION)

    assert pool.cancel(first.job_id).state is JobState.CANCELED
    assert pool.cancel("nobody-1").state is JobState.NOT_FOUND
    second = pool.prepare(PREPARATION)
    assert second.state is JobState.QUEUED
    assert second.job_id.endswith("-2")
    assert [batch.state for batch in cloud.livy.batches] == ["error", "not_started"]


def listed(cloud) -> int:
    """How often somebody read a page of the list."""
    return len([call for call in cloud.calls("GET", "/batches") if call.path.endswith("/batches")])


@pytest.mark.parametrize("older", [50, pytest.param(1_050, marks=pytest.mark.slow)])
def test_a_batch_on_a_busy_pool_is_submitted_once_and_canceled_by_its_id(pool, cloud, older):
    busy(cloud, older)
    first = pool.prepare(PREPARATION)
    assert listed(cloud) == older // 19 + 1
    busy(cloud, 30)

    assert pool.prepare(PREPARATION).job_id == first.job_id
    cloud.clock.advance(START_SECONDS)
    assert pool.status(first.job_id).state is JobState.RUNNING
    assert pool.cancel(first.job_id).state is JobState.CANCELED
    assert listed(cloud) == older // 19 + 1
    [batch] = [each for each in cloud.livy.batches if each.options["name"] == first.job_id]
    assert (batch.state, batch.result) == ("killed", "Cancelled")
    assert len(cloud.livy.batches) == older + 31


def test_a_batch_whose_answer_was_lost_is_found_behind_the_older_ones(pool, cloud):
    busy(cloud, 50)
    cloud.faults.add("POST", "/batches", faults.DROPPED, late=True)
    first = pool.prepare(PREPARATION)

    assert first.progress["livy_id"] == 50
    pages = listed(cloud)
    assert pool.cancel(first.job_id).state is JobState.CANCELED
    assert listed(cloud) == pages


def test_the_list_is_read_right_where_old_batches_have_left_it(cloud):
    busy(cloud, 50)
    batches = Batches("bikesynapse", "sparkpool")
    end = batches.search("mine")[1]
    mine = cloud.livy.add({"name": "mine", "file": "f"})
    busy(cloud, 25)
    cloud.livy.batches = cloud.livy.batches[40:]

    assert [batch.id for batch in batches.find("mine", end)] == [mine.id]
    assert [batch.id for batch in batches.find("somebody-49", end)] == []


def test_the_link_of_a_batch_goes_by_the_resource_id(cloud):
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Synapse/workspaces/w"
    batch = cloud.livy.add({"name": "mine", "file": "f"})
    batches = Batches("bikesynapse", "sparkpool", workspace)
    [found] = batches.get(batch.id, "mine")

    assert f"workspace={quote(workspace, safe='')}&livyId={batch.id}&" in batches.link(found)


def test_a_batch_whose_record_was_deleted_is_joined(pool, cloud):
    busy(cloud, 30)
    first = pool.prepare(PREPARATION)
    del cloud.storage.files[ACCOUNT, CONTAINER, f"jobs/spark/{first.job_id}/submission.json"]

    assert pool.prepare(PREPARATION).job_id == first.job_id
    assert pool.status(first.job_id).state is JobState.QUEUED
    assert len(cloud.livy.batches) == 31


def test_a_record_of_the_version_before_is_read(pool, cloud):
    first = pool.prepare(PREPARATION)
    path = f"jobs/spark/{first.job_id}/submission.json"
    record = json.loads(cloud.storage.read(ACCOUNT, CONTAINER, path))
    older = {name: record[name] for name in ("at", "livy_id", "canceled")}
    cloud.storage.write(ACCOUNT, CONTAINER, path, json.dumps(older).encode())

    assert pool.prepare(PREPARATION).job_id == first.job_id
    assert pool.cancel(first.job_id).state is JobState.CANCELED
