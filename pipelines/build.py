"""Definitions from a spec and settings: what Dagster loads and the command line runs."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg

from assets.lineage import model_assets, model_checks
from assets.workspace import workspace_link_assets
from bikecast.core.spec import ModelSpec
from pipelines.automation import automated, automation_sensor
from pipelines.environments import Resources
from pipelines.jobs import model_jobs
from pipelines.schedules import model_schedules
from pipelines.sensors.alerts import failure_alerts
from pipelines.sensors.cancellation import cancel_job, cancel_with_run
from pipelines.sensors.checks import bad_model_rollback, check_alerts, drift_retraining
from pipelines.sensors.long_jobs import polling_sensors
from pipelines.sensors.new_days import day_sensors
from pipelines.sensors.new_files import file_sensor


def build_definitions(
    spec: ModelSpec,
    resources: Resources,
    *,
    main_job: str,
    budget_seconds: float,
    poll_seconds: int,
    always_promote: bool = False,
    daily_partitions: bool = False,
    alert_webhook: str = "",
) -> dg.Definitions:
    """Everything of one model.

    `budget_seconds` replaces the spec's training time where a run does not set its own. Runs are
    in one process: the assets are chained and wait on other systems. `daily_partitions` adds the
    assets by day; with them "Materialize all" on the whole graph asks for days. `alert_webhook`
    is an http(s) address, or empty.
    """
    hours = budget_seconds / 3600
    spec = replace(
        spec,
        training=replace(spec.training, max_training_hours=hours),
        first_day=spec.first_day if daily_partitions else None,
    )
    jobs = model_jobs(spec, main_job)
    links = workspace_link_assets(spec.owners) if resources.workspace_links else []
    lineage = model_assets(
        spec, training_code=resources.automl.training_code, always_promote=always_promote
    )
    assets = automated(spec, lineage)
    checks = model_checks(spec)
    return dg.Definitions(
        assets=[*assets, *links],
        asset_checks=checks,
        jobs=[*jobs.all(), cancel_job(spec)],
        schedules=model_schedules(spec, jobs),
        sensors=[
            *polling_sensors(spec, jobs.finish_training.name, seconds=poll_seconds),
            cancel_with_run(spec),
            file_sensor(spec, jobs),
            automation_sensor(spec),
            *day_sensors(spec, jobs),
            drift_retraining(spec, jobs),
            bad_model_rollback(spec, jobs),
            failure_alerts(alert_webhook),
            check_alerts([*assets, *checks], alert_webhook),
        ],
        resources=resources.by_name(),
        executor=dg.in_process_executor,
    )
