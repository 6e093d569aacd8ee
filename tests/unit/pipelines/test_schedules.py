"""The weekly schedule on a real event log."""

import datetime as dt

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import model_jobs
from pipelines.schedules import model_schedules

MONDAY = dt.datetime(2013, 1, 14, 3, tzinfo=dt.UTC)


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def submit(instance, when: dt.datetime, submission: str) -> None:
    with freeze_time(when):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(SPEC.run_asset, metadata={"submission": submission})
        )


def tick(instance):
    [weekly, _] = model_schedules(SPEC, model_jobs(SPEC))
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=MONDAY)
    return weekly(context)


def test_a_training_is_due_where_none_was_started(instance):
    assert isinstance(tick(instance), dg.RunRequest)


def test_a_training_of_this_week_makes_the_weekly_one_needless(instance):
    submit(instance, MONDAY - dt.timedelta(days=5), "started")
    assert "2013-01-09" in tick(instance).skip_message


def test_the_weekly_training_of_last_week_does_not(instance):
    submit(instance, MONDAY - dt.timedelta(days=7), "started")
    request = tick(instance)
    assert request.run_config == {"ops": {SPEC.run_asset: {"config": {"retrain": True}}}}


def test_a_submission_that_found_nothing_to_train_does_not_count(instance):
    submit(instance, MONDAY - dt.timedelta(days=8), "started")
    submit(instance, MONDAY - dt.timedelta(days=2), "unchanged")
    assert isinstance(tick(instance), dg.RunRequest)
