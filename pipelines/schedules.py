"""Schedules: weekly retraining and daily scoring, off until somebody switches them on."""

from __future__ import annotations

import dagster as dg

from pipelines.jobs import ModelJobs
from resources.spec import ModelSpec


def model_schedules(spec: ModelSpec, jobs: ModelJobs) -> list[dg.ScheduleDefinition]:
    """The schedules of a spec; the switch is under Automation in the UI."""
    return [
        dg.ScheduleDefinition(
            name="weekly_retraining",
            job=jobs.train,
            cron_schedule="0 3 * * 1",
            execution_timezone="UTC",
            run_config={"ops": {spec.run_asset: {"config": {"retrain": True}}}},
            description="Mondays 03:00 UTC: train again on the current data. Off until switched "
            "on under Automation, or by `dagster schedule start weekly_retraining`.",
        ),
        dg.ScheduleDefinition(
            name="daily_scoring",
            job=jobs.score,
            cron_schedule="0 5 * * *",
            execution_timezone="UTC",
            description="Every day 05:00 UTC: score the forecast file with the live model. Off "
            "until switched on under Automation, or by `dagster schedule start daily_scoring`.",
        ),
    ]
