"""Schedules: retraining and scoring, off until somebody switches them on."""

import datetime as dt

import dagster as dg

from bikecast.core.spec import ModelSpec
from pipelines.jobs import ModelJobs


def model_schedules(spec: ModelSpec, jobs: ModelJobs) -> list[dg.ScheduleDefinition]:
    """The schedules of a spec; the switch is under Automation in the UI."""
    when, name = spec.schedules, spec.named(spec.schedules.score_name)
    return [
        _retraining(spec, jobs),
        dg.ScheduleDefinition(
            name=name,
            job=jobs.score,
            cron_schedule=when.score,
            execution_timezone=when.timezone,
            description=f"{when.score} {when.timezone}: score the scoring file with the live "
            f"model. Off until switched on here, or by `dagster schedule start {name}`.",
        ),
    ]


def _retraining(spec: ModelSpec, jobs: ModelJobs) -> dg.ScheduleDefinition:
    when, name = spec.schedules, spec.named(spec.schedules.retrain_name)

    @dg.schedule(
        name=name,
        job=jobs.train,
        cron_schedule=when.retrain,
        execution_timezone=when.timezone,
        description=f"{when.retrain} {when.timezone}: train again on the current data, unless a "
        f"training was started in the {when.recent_hours:g} hours before. Off until switched on "
        f"here, or by `dagster schedule start {name}`.",
    )
    def retraining(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time
        started = last_training(context.instance, spec.run_asset)
        if started is not None and now - started < dt.timedelta(hours=when.recent_hours):
            return dg.SkipReason(f"the last training started at {started:%Y-%m-%d %H:%M} UTC")
        return dg.RunRequest(
            run_config={"ops": {spec.run_asset: {"config": {"retrain": True}}}},
        )

    return retraining


def last_training(instance: dg.DagsterInstance, run_asset: str) -> dt.datetime | None:
    """When the last training was started, as UTC; submissions that found one do not count."""
    for record in instance.fetch_materializations(dg.AssetKey(run_asset), limit=100).records:
        event = record.asset_materialization
        submission = event.metadata.get("submission") if event else None
        if submission is None or submission.value == "started":
            return dt.datetime.fromtimestamp(record.timestamp, dt.UTC)
    return None
