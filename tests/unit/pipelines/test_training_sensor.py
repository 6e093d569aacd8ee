"""The sensor's own logic, on a real event log and a small table of job states."""

import contextlib
import json

import dagster as dg
import pytest

from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.sql import SqlError
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import model_jobs
from pipelines.sensors.long_jobs import align_aliases, should_align, spark_sensor, training_sensor
from pipelines.sensors.polling import POLLS_A_TICK, PollCursor, poll
from resources.sql_pool.embedded import AlwaysOnline
from tests.second_spec import COFFEE_SALES

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
    with dg.DagsterInstance.ephemeral() as instance:
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
    sensor = training_sensor([model_jobs(SPEC), model_jobs(COFFEE_SALES)], seconds=5)
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
    assert PollCursor.parse(result.cursor).pending == {"bad": SPEC.run_asset}


def test_a_tick_polls_a_bounded_number_and_all_get_their_turn():
    cursor = PollCursor(pending={f"job-{n}": "run" for n in range(2 * POLLS_A_TICK)})
    jobs = set(cursor.pending)
    table = StateTable(**dict.fromkeys(cursor.pending, JobState.RUNNING))
    poll(cursor, table.status, print)
    assert len(table.asked) == POLLS_A_TICK
    poll(cursor, table.status, print)
    assert set(table.asked) == set(cursor.pending) == jobs


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
    result = training_sensor([model_jobs(SPEC), model_jobs(COFFEE_SALES)], seconds=5)(context)
    assert requested(result) == ["job-1"]


def test_jobs_of_several_models_are_polled_by_one_sensor(instance):
    submit(instance, "job-1")
    instance.report_runless_asset_event(
        dg.AssetMaterialization(COFFEE_SALES.run_asset, tags={"dagster/data_version": "job-2"})
    )
    table = StateTable(**{"job-1": JobState.COMPLETED, "job-2": JobState.FAILED})
    first, second = tick(instance, table).run_requests
    assert (first.job_name, second.job_name) == ("finish_training", "coffee_finish_training")
    assert second.run_config == {"ops": {COFFEE_SALES.model_table: {"config": {"job_id": "job-2"}}}}


def test_a_cursor_of_the_version_before_goes_on_where_it_was(instance):
    old, new = (f"{SPEC.model_name}-0123456789ab-{number}" for number in (1, 2))
    submit(instance, old)
    [record] = instance.fetch_materializations(dg.AssetKey(SPEC.run_asset), limit=1).records
    submit(instance, new)
    before = json.dumps({"after": record.storage_id, "pending": [old], "aligned_at": 0.0})
    table = StateTable(**{old: JobState.COMPLETED, new: JobState.COMPLETED})
    first, second = tick(instance, table, before).run_requests
    assert table.asked == [old, new]
    assert (first.run_key, first.job_name) == (old, "finish_training")
    assert second.run_key == new


class Aliased:
    """A live model whose alias moves to a version, or whose registry does not answer."""

    def __init__(self, spec, moved):
        self.spec, self.moved = spec, moved

    def align_alias(self):
        if isinstance(self.moved, Exception):
            raise self.moved
        return self.moved


def test_a_registry_error_of_one_model_leaves_the_aliases_of_the_others_to_follow():
    warnings = []
    models = [Aliased(SPEC, OSError("no answer")), Aliased(COFFEE_SALES, 2)]
    align_aliases(models, AlwaysOnline(), warnings.append)
    assert SPEC.model_name in warnings[0]
    assert "now points at version 2" in warnings[1]


def test_spark_jobs_that_a_run_went_on_with_are_not_asked_for_again(instance):
    """The sensor's cursor is empty after an upgrade, and the event log has all jobs."""
    for job in ("old-1", "new-1"):
        facts = {"waits_for": "Spark", "job_id": job}
        instance.report_runless_asset_event(
            dg.AssetObservation(SPEC.training_table, metadata=facts)
        )
    empty_job.execute_in_process(instance=instance, tags={"dagster/run_key": "old-1"})
    table = StateTable(**{"new-1": JobState.RUNNING})
    context = dg.build_sensor_context(instance=instance, resources={"spark": table})
    result = spark_sensor([SPEC], seconds=30)(context)
    assert table.asked == ["new-1"]
    assert set(PollCursor.parse(result.cursor).pending) == {"new-1"}


def counted(monkeypatch, instance, method):
    """The assets whose events are read by a method of the instance, from now on."""
    read, real = [], getattr(instance, method)

    def count(records_filter, **options):
        read.append(records_filter.asset_key.to_user_string())
        return real(records_filter, **options)

    monkeypatch.setattr(instance, method, count)
    return read


def test_only_models_with_a_new_submission_are_read(instance, monkeypatch):
    """Guards the cost of a tick, which grew by a query for each model."""
    submit(instance, "job-1")
    read = counted(monkeypatch, instance, "fetch_materializations")
    table = StateTable(**{"job-1": JobState.RUNNING})
    cursor = tick(instance, table).cursor
    assert read == [SPEC.run_asset]
    tick(instance, table, cursor)
    assert read == [SPEC.run_asset]


def test_spark_jobs_are_looked_for_again_only_after_a_run_has_changed(instance, monkeypatch):
    """Guards the cost of a tick, and that a job of a later run is found all the same."""
    read = counted(monkeypatch, instance, "fetch_observations")
    sensor = spark_sensor([SPEC], seconds=30)
    table = StateTable(**{"job-1": JobState.RUNNING})

    def look(cursor=None):
        context = dg.build_sensor_context(
            instance=instance, resources={"spark": table}, cursor=cursor
        )
        return sensor(context).cursor

    empty_job.execute_in_process(instance=instance)
    cursor = look()
    assert len(read) == 2
    cursor = look(cursor)
    assert len(read) == 2
    facts = {"waits_for": "Spark", "job_id": "job-1"}
    instance.report_runless_asset_event(dg.AssetObservation(SPEC.training_table, metadata=facts))
    empty_job.execute_in_process(instance=instance)
    assert set(PollCursor.parse(look(cursor)).pending) == {"job-1"}


def test_spark_jobs_are_looked_for_while_a_run_is_under_way(instance, monkeypatch):
    read = counted(monkeypatch, instance, "fetch_observations")
    run = empty_job.execute_in_process(instance=instance).run_id
    instance.add_run(
        instance.get_run_by_id(run)._replace(run_id="1" * 32, status=dg.DagsterRunStatus.STARTED)
    )
    sensor, cursor = spark_sensor([SPEC], seconds=30), None
    for _ in range(2):
        context = dg.build_sensor_context(
            instance=instance, resources={"spark": StateTable()}, cursor=cursor
        )
        cursor = sensor(context).cursor
    assert len(read) == 4
