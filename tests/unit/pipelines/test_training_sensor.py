"""The sensor's own logic, on a real event log and a small table of job states."""

import contextlib

import dagster as dg
import pytest

from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.sql import SqlError
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sensors.long_jobs import should_align, training_sensor
from pipelines.sensors.polling import POLLS_A_TICK, PollCursor, poll
from resources.sql_pool.embedded import AlwaysOnline

OTHERS = {"sql_pool_power": AlwaysOnline(), "lake": None}


class StateTable:
    """Answers status() from a dict; a job that is an exception raises it."""

    def __init__(self, **states):
        self.states = states
        self.asked: list[str] = []

    def status(self, job_id: str) -> JobStatus:
        self.asked.append(job_id)
        state = self.states.get(job_id, JobState.NOT_FOUND)
        if isinstance(state, Exception):
            raise state
        return JobStatus(job_id, state)


class NoVersions:
    """A registry without models."""

    def versions(self, name: str) -> list:
        return []


class NoTables:
    """A pool in which nothing was published."""

    @contextlib.contextmanager
    def session(self):
        yield self

    def run(self, batch, parameters=()):
        raise SqlError(208, "Invalid object name.")


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def submit(instance, job_id: str) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(SPEC.run_asset, tags={"dagster/data_version": job_id})
    )


def register(instance, job_id: str) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(SPEC.model_table, metadata={"job_id": job_id})
    )


def tick(instance, table: StateTable, cursor: str | None = None) -> dg.SensorResult:
    sensor = training_sensor(SPEC, "finish_training", seconds=5)
    resources = {"automl": table, "registry": NoVersions(), "sql_pool": NoTables()} | OTHERS
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def requested(result: dg.SensorResult) -> list[str | None]:
    return [request.run_key for request in result.run_requests or []]


def test_an_ended_job_gets_one_run_with_its_id_as_key_config_and_tag(instance):
    submit(instance, "job-1")
    [request] = tick(instance, StateTable(**{"job-1": JobState.COMPLETED})).run_requests
    assert request.run_key == "job-1"
    assert request.tags["bikecast/job_id"] == "job-1"
    assert request.run_config == {"ops": {SPEC.model_table: {"config": {"job_id": "job-1"}}}}


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELED, JobState.NOT_FOUND])
def test_a_failed_cancelled_or_lost_job_takes_the_same_path(instance, state):
    submit(instance, "job-1")
    assert requested(tick(instance, StateTable(**{"job-1": state}))) == ["job-1"]


def test_a_running_job_stays_in_the_cursor_until_it_ends(instance):
    submit(instance, "job-1")
    first = tick(instance, StateTable(**{"job-1": JobState.RUNNING}))
    assert requested(first) == []
    assert "1 training jobs still run" in first.skip_reason.skip_message
    second = tick(instance, StateTable(**{"job-1": JobState.COMPLETED}), first.cursor)
    assert requested(second) == ["job-1"]
    third = tick(instance, StateTable(), second.cursor)
    assert requested(third) == []


def test_a_submission_is_read_once(instance):
    submit(instance, "job-1")
    first = tick(instance, StateTable(**{"job-1": JobState.COMPLETED}))
    table = StateTable()
    tick(instance, table, first.cursor)
    assert table.asked == []


def test_a_lost_cursor_repeats_only_the_same_run_key(instance):
    submit(instance, "job-1")
    table = StateTable(**{"job-1": JobState.COMPLETED})
    assert requested(tick(instance, table, None)) == requested(tick(instance, table, "broken{"))


def test_a_job_that_another_run_finished_gets_no_run(instance):
    submit(instance, "job-1")
    register(instance, "job-1")
    assert requested(tick(instance, StateTable(**{"job-1": JobState.COMPLETED}))) == []


def test_one_job_that_cannot_be_polled_does_not_block_the_others(instance):
    submit(instance, "bad")
    submit(instance, "good")
    table = StateTable(bad=OSError("no answer"), good=JobState.COMPLETED)
    result = tick(instance, table)
    assert requested(result) == ["good"]
    assert PollCursor.parse(result.cursor).pending == ["bad"]


def test_a_tick_polls_a_bounded_number_and_all_get_their_turn():
    cursor = PollCursor(pending=[f"job-{n}" for n in range(2 * POLLS_A_TICK)])
    table = StateTable(**dict.fromkeys(cursor.pending, JobState.RUNNING))
    poll(cursor, table.status, print)
    assert len(table.asked) == POLLS_A_TICK
    poll(cursor, table.status, print)
    assert sorted(set(table.asked)) == sorted(cursor.pending)


@dg.op
def nothing():
    pass


@dg.job
def empty_job():
    nothing()


def test_the_alias_is_compared_at_the_start_after_each_run_and_once_a_minute(instance):
    cursor = PollCursor()
    assert should_align(instance, cursor, 1000.0)
    assert not should_align(instance, cursor, 1005.0)
    assert should_align(instance, cursor, 1061.0)
    empty_job.execute_in_process(instance=instance)
    assert should_align(instance, cursor, 1062.0)
    assert not should_align(instance, PollCursor.parse(cursor.dump()), 1063.0)


def test_a_pool_that_does_not_answer_does_not_stop_the_polling(instance):
    submit(instance, "job-1")
    context = dg.build_sensor_context(
        instance=instance,
        resources={
            "automl": StateTable(**{"job-1": JobState.COMPLETED}),
            "registry": NoVersions(),
            "sql_pool": None,
        }
        | OTHERS,
    )
    result = training_sensor(SPEC, "finish_training", seconds=5)(context)
    assert requested(result) == ["job-1"]
