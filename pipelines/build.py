"""Definitions from a spec and settings: what Dagster loads and the command line runs."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg

from assets.checks.warning import warning_checks
from assets.lineage import model_assets
from assets.workspace import workspace_link_assets
from bikecast.core.spec import ModelSpec
from pipelines.automation import automated, automation_sensor
from pipelines.bike_rentals import BIKE_RENTALS, MAIN_JOB
from pipelines.environments import Resources
from pipelines.jobs import model_jobs
from pipelines.schedules import model_schedules
from pipelines.sensors.alerts import failure_alerts
from pipelines.sensors.cancellation import cancel_job, cancel_with_run
from pipelines.sensors.checks import bad_model_rollback, check_alerts, drift_retraining
from pipelines.sensors.long_jobs import polling_sensors
from pipelines.sensors.new_days import day_sensors
from pipelines.sensors.new_files import file_sensor
from pipelines.settings import Settings


def trained_by(spec: ModelSpec, settings: Settings) -> ModelSpec:
    """The spec, trained within the settings' budget and number of trials."""
    training = replace(
        spec.training,
        max_training_hours=settings.budget / 3600,
        max_trials=settings.max_trials or spec.training.max_trials,
    )
    return replace(spec, training=training)


def build_definitions(
    settings: Settings,
    resources: Resources,
    spec: ModelSpec = BIKE_RENTALS,
    main_job: str = MAIN_JOB,
) -> dg.Definitions:
    """Everything of one model, by these settings.

    Runs are in one process: the assets are chained and wait on other systems. With daily
    partitions "Materialize all" on the whole graph asks for days.
    """
    spec = replace(
        trained_by(spec, settings),
        first_day=spec.first_day if settings.daily_partitions else None,
    )
    webhook = settings.alert_webhook.get_secret_value()
    jobs = model_jobs(spec, main_job)
    links = workspace_link_assets(spec.owners) if resources.workspace_links else []
    lineage = model_assets(
        spec,
        training_code=resources.automl.training_code,
        always_promote=settings.always_promote,
    )
    assets = automated(spec, lineage)
    checks = warning_checks(spec)
    return dg.Definitions(
        assets=[*assets, *links],
        asset_checks=checks,
        jobs=[*jobs.all(), cancel_job(spec)],
        schedules=model_schedules(spec, jobs),
        sensors=[
            *polling_sensors(spec, jobs.finish_training.name, seconds=settings.poll_seconds),
            cancel_with_run(spec),
            file_sensor(spec, jobs),
            automation_sensor(spec),
            *day_sensors(spec, jobs),
            drift_retraining(spec, jobs),
            bad_model_rollback(spec, jobs),
            failure_alerts(webhook),
            check_alerts([*assets, *checks], webhook),
        ],
        resources=resources.by_name(),
        executor=dg.in_process_executor,
    )
