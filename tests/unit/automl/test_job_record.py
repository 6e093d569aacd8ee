"""The durable record of a job, without a driver."""

import multiprocessing
import os

import psutil
import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.jobs import JobState
from bikecast.embedded.automl.job import JobRecord
from bikecast.embedded.automl.locks import FileLock, exclusive, is_held
from bikecast.embedded.automl.process import kill_driver, start_driver


@pytest.fixture
def record(tmp_path):
    made = JobRecord.of(tmp_path / "jobs", "model-abc-1")
    (tmp_path / "jobs").mkdir()
    made.create({"budget_seconds": 10, "limit_seconds": 75})
    return made


@pytest.mark.parametrize("bad", ["", "../x", "a/b", ".hidden", "a" * 201])
def test_an_id_that_is_no_folder_name_is_refused(tmp_path, bad):
    with pytest.raises(InvalidInput, match="not allowed"):
        JobRecord.of(tmp_path, bad)


def test_an_unknown_job_is_not_found(tmp_path):
    assert JobRecord.of(tmp_path, "nothing").status().state is JobState.NOT_FOUND


def test_a_job_that_nobody_holds_and_that_never_began_may_be_submitted_again(record):
    status = record.status()
    assert (status.state, status.error) == (JobState.NOT_FOUND, "its process died before it began")


def test_a_held_job_is_queued_and_then_running(record):
    lock = record.holder()
    assert record.status().state is JobState.QUEUED
    record.write_process(1, 0.0, 0.0)
    assert record.status().state is JobState.RUNNING
    lock.close()


def test_a_job_whose_process_died_has_failed_and_says_where(record):
    record.write_process(1, 0.0, 0.0)
    record.write_progress({"phase": "searching"})
    status = record.status()
    assert status.state is JobState.FAILED
    assert "'searching'" in status.error
    assert "driver.log" in status.error


def test_a_result_counts_more_than_a_dead_process(record):
    record.write_process(1, 0.0, 0.0)
    record.result_folder.mkdir()
    assert record.status().state is JobState.COMPLETED


def test_the_jobs_own_error_is_reported(record):
    record.write_end(JobState.FAILED, "the target is constant", kind="InvalidInput")
    assert record.status().error == "the target is constant"


def test_a_second_creation_changes_nothing(record):
    record.create({"budget_seconds": 99})
    assert record.request()["budget_seconds"] == 10


def test_a_job_that_is_only_old_is_not_stopped(record, monkeypatch):
    """A suspended laptop or two busy neighbours are no fault of the job."""
    # The process of the tests may itself have computed for longer than the limit.
    monkeypatch.setattr(psutil.Process, "cpu_times", lambda _: (20, 10, 0, 0))
    assert record.overdue() is None
    record.write_process(os.getpid(), psutil.Process().create_time(), 0.0)
    record.write_progress({"elapsed_seconds": 500.0, "quiet_seconds": 3.0})
    assert record.overdue() is None


def test_a_job_that_computes_without_end_is_stopped(record, monkeypatch):
    record.write_process(os.getpid(), psutil.Process().create_time(), 0.0)
    record.write_progress({"elapsed_seconds": 500.0, "quiet_seconds": 3.0})
    monkeypatch.setattr(psutil.Process, "cpu_times", lambda _: (100, 60, 0, 0))
    assert "more than its limit of 150 s" in record.overdue()


def test_a_job_that_hangs_is_stopped(record):
    record.write_progress({"elapsed_seconds": 700.0, "quiet_seconds": 650.0})
    assert "no progress for 600 s" in record.overdue()


def test_a_lock_is_taken_once(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    lock = FileLock.take(path)
    assert is_held(path)
    assert FileLock.take(path) is None
    lock.close()
    assert not is_held(path)


def _hold(path, pipe):
    with exclusive(path):
        pipe.send("held")
        pipe.recv()


def test_a_lock_ends_with_its_holders_death(tmp_path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    holder = context.Process(target=_hold, args=(tmp_path / "lock", theirs))
    holder.start()
    assert ours.recv() == "held"
    assert is_held(tmp_path / "lock")
    holder.kill()
    holder.join()
    assert not is_held(tmp_path / "lock")


def test_a_driver_that_has_not_begun_can_be_stopped(record, monkeypatch):
    monkeypatch.setattr(
        "bikecast.embedded.automl.process.DRIVER", "tests.unit.automl.endless_driver"
    )
    lock = record.holder()
    start_driver(record, lock)
    lock.close()
    assert record.status().state is JobState.QUEUED
    assert kill_driver(record, patience=60)
    driver = [p for p in psutil.Process().children() if p.pid == record.driver()["pid"]]
    assert psutil.wait_procs(driver, timeout=10)[1] == []
    assert record.status().state is JobState.NOT_FOUND
