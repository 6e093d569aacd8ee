"""Schedules: weekly retraining and daily scoring, off until somebody switches them on."""

import datetime as dt

import dagster as dg

from bikecast.core.spec import ModelSpec
from pipelines.jobs import ModelJobs

#: A training this young makes the weekly one needless: new data was trained on as it came.
RECENT = dt.timedelta(days=6, hours=23)


def model_schedules(spec: ModelSpec, jobs: ModelJobs) -> list[dg.ScheduleDefinition]:
    """The schedules of a spec; the switch is under Automation in the UI."""
    return [
        _weekly_retraining(spec, jobs),
        dg.ScheduleDefinition(
            name="daily_scoring",
            job=jobs.score,
            cron_schedule="0 5 * * *",
            execution_timezone="UTC",
            description="Every day 05:00 UTC: score the forecast file with the live model. Off "
            "until switched on under Automation, or by `dagster schedule start daily_scoring`.",
        ),
    ]


def _weekly_retraining(spec: ModelSpec, jobs: ModelJobs) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="weekly_retraining",
        job=jobs.train,
        cron_schedule="0 3 * * 1",
        execution_timezone="UTC",
        description="Mondays 03:00 UTC: train again on the current data, unless a training was "
        "started in the week before. Off until switched on under Automation, or by "
        "`dagster schedule start weekly_retraining`.",
    )
    def weekly_retraining(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        started = last_training(context.instance, spec.run_asset)
        if started is not None and now - started < RECENT:
            return dg.SkipReason(f"the last training started at {started:%Y-%m-%d %H:%M} UTC")
        return dg.RunRequest(
            run_config={"ops": {spec.run_asset: {"config": {"retrain": True}}}},
        )

    return weekly_retraining


def last_training(instance: dg.DagsterInstance, run_asset: str) -> dt.datetime | None:
    """When the last training was started, as UTC; submissions that found one do not count."""
    for record in instance.fetch_materializations(dg.AssetKey(run_asset), limit=100).records:
        event = record.asset_materialization
        submission = event.metadata.get("submission") if event else None
        if submission is None or submission.value == "started":
            return dt.datetime.fromtimestamp(record.timestamp, dt.UTC)
    return None
