"""Cancelling a run or a training, on a real event log and a table of jobs."""

from dataclasses import dataclass, field
from typing import ClassVar

import dagster as dg
import pytest

from assets.training import training_assets
from bikecast.core.jobs import JobState, JobStatus
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import local_resources
from pipelines.model_files import load_models
from pipelines.sensors.cancellation import cancel_job, cancel_with_run
from pipelines.settings import load_settings
from resources.automl.port import TrainingRequest

FINISHED = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELED, JobState.NOT_FOUND)


@dataclass
class Jobs:
    """Training jobs by id; a submission may be broken off after it reached the other side."""

    states: dict[str, JobState] = field(default_factory=dict)
    breaks_off: bool = False
    run_is_canceling: bool = False
    instance: dg.DagsterInstance | None = None
    training_code: ClassVar[tuple[str, ...]] = ()

    def status(self, job_id: str) -> JobStatus:
        return JobStatus(job_id, self.states.get(job_id, JobState.NOT_FOUND))

    def submit(self, request: TrainingRequest) -> JobStatus:
        self.states[request.job_id] = JobState.RUNNING
        if self.run_is_canceling:
            run = self.instance.get_run_by_id(request.tags["root_run_id"])
            self.instance.report_run_canceling(run)
        if self.breaks_off:
            raise KeyboardInterrupt
        return self.status(request.job_id)

    def cancel(self, job_id: str) -> JobStatus:
        if self.status(job_id).state not in FINISHED:
            self.states[job_id] = JobState.CANCELED
        return self.status(job_id)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def submit(instance, tmp_path):
    """Materialize the submitting asset of the spec on these jobs."""
    settings = load_settings(home=tmp_path / "home")
    resources = local_resources(settings, load_models()).by_name()

    def run(jobs: Jobs) -> dg.ExecuteInProcessResult:
        jobs.instance = instance
        instance.report_runless_asset_event(
            dg.AssetMaterialization(SPEC.training_table, tags={"dagster/data_version": "d1"})
        )
        return dg.materialize(
            [training_assets(SPEC, jobs.training_code)[0]],
            instance=instance,
            resources={**resources, "automl": jobs},
            raise_on_error=False,
        )

    return run


def cancelled_run(instance, run_id: str, jobs: Jobs):
    """Evaluate the sensor as Dagster does for a cancelled run."""
    run = instance.get_run_by_id(run_id)
    event = dg.DagsterEvent("PIPELINE_CANCELED", run.job_name)
    context = dg.build_run_status_sensor_context(
        sensor_name=f"cancel_{SPEC.run_asset}",
        dagster_instance=instance,
        dagster_run=run,
        dagster_event=event,
        resources={"automl": jobs},
    )
    return cancel_with_run([SPEC])(context)


def test_cancelling_a_run_cancels_the_training_that_it_started(instance, submit):
    jobs = Jobs()
    run_id = submit(jobs).run_id
    assert set(jobs.states.values()) == {JobState.RUNNING}
    cancelled_run(instance, run_id, jobs)
    assert set(jobs.states.values()) == {JobState.CANCELED}


def test_cancelling_a_run_that_joined_a_training_leaves_it_alone(instance, submit):
    jobs = Jobs()
    submit(jobs)
    joined = submit(jobs).run_id
    cancelled_run(instance, joined, jobs)
    assert set(jobs.states.values()) == {JobState.RUNNING}


def test_a_run_that_is_cancelled_in_its_submission_cancels_the_job(instance, submit):
    jobs = Jobs(breaks_off=True, run_is_canceling=True)
    result = submit(jobs)
    assert not result.success
    assert set(jobs.states.values()) == {JobState.CANCELED}


def test_a_submission_that_is_interrupted_otherwise_leaves_the_job_to_the_next_run(
    instance, submit
):
    jobs = Jobs(breaks_off=True)
    result = submit(jobs)
    assert not result.success
    assert set(jobs.states.values()) == {JobState.RUNNING}
    jobs.breaks_off = False
    assert submit(jobs).success
    assert len(jobs.states) == 1


def test_the_job_cancels_the_last_submitted_training(instance, submit):
    jobs = Jobs()
    submit(jobs)
    done = cancel_job(SPEC).execute_in_process(instance=instance, resources={"automl": jobs})
    assert done.success
    assert set(jobs.states.values()) == {JobState.CANCELED}


def test_the_job_leaves_an_ended_training_as_it_is(instance, submit):
    jobs = Jobs({"job-1": JobState.COMPLETED})
    config = {"ops": {"cancel": {"config": {"job_id": "job-1"}}}}
    done = cancel_job(SPEC).execute_in_process(
        instance=instance, resources={"automl": jobs}, run_config=config
    )
    assert done.success
    assert jobs.states == {"job-1": JobState.COMPLETED}


def test_the_job_says_where_there_is_nothing_to_cancel(instance):
    done = cancel_job(SPEC).execute_in_process(
        instance=instance, resources={"automl": Jobs()}, raise_on_error=False
    )
    assert not done.success
