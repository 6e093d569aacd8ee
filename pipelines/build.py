"""Definitions from models and settings: what Dagster loads and the command line runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from assets.checks.warning import warning_checks
from assets.lineage import model_assets
from assets.workspace import workspace_link_assets
from bikecast.core.spec import ModelSpec
from pipelines.automation import automated, automation_sensor
from pipelines.dagster_resources import dagster_resources
from pipelines.environments import Resources
from pipelines.jobs import ModelJobs, model_jobs
from pipelines.models import Model, check_names
from pipelines.schedules import model_schedules
from pipelines.sensors.alerts import failure_alerts
from pipelines.sensors.cancellation import cancel_job, cancel_with_run
from pipelines.sensors.checks import bad_model_rollback, check_alerts, drift_retraining
from pipelines.sensors.long_jobs import polling_sensors
from pipelines.sensors.new_days import day_sensors
from pipelines.sensors.new_files import file_sensor
from pipelines.settings import Settings


def trained_by(spec: ModelSpec, settings: Settings) -> ModelSpec:
    """The spec, trained within the settings' budget, trials and rows, where they say them."""
    seconds, hours = settings.budget, spec.training.max_training_hours
    training = replace(
        spec.training,
        max_training_hours=hours if seconds is None else seconds / 3600,
        max_trials=settings.max_trials or spec.training.max_trials,
        max_rows=settings.training_rows or spec.training.max_rows,
    )
    return replace(spec, training=training)


def build_definitions(
    settings: Settings, resources: Resources, models: Sequence[Model]
) -> dg.Definitions:
    """Everything of these models, by these settings.

    A budget in them replaces the models' training time where a run does not set its own. Runs are
    in one process: the assets are chained and wait on other systems. With daily partitions
    "Materialize all" on the whole graph asks for days.
    Raises InvalidInput where two models share a name.
    """
    specs = [installed(model.spec, settings) for model in models]
    check_names(specs)
    code, always = resources.automl.training_code, settings.always_promote
    jobs = [model_jobs(spec, rescored=settings.daily_partitions) for spec in specs]
    parts = [model_definitions(each, code, always_promote=always) for each in jobs]
    return dg.Definitions.merge(*parts, shared_definitions(settings, resources, jobs, parts))


def installed(spec: ModelSpec, settings: Settings) -> ModelSpec:
    """A spec by the settings of an installation."""
    return replace(
        trained_by(spec, settings),
        first_day=spec.first_day if settings.daily_partitions else None,
    )


def model_definitions(
    jobs: ModelJobs, training_code: tuple[str, ...], *, always_promote: bool
) -> dg.Definitions:
    """What belongs to one model: its assets, checks, jobs, schedules, and the sensors that act."""
    spec = jobs.spec
    lineage = model_assets(
        spec, training_code=training_code, always_promote=always_promote, by_row=jobs.by_row
    )
    return dg.Definitions(
        assets=automated(spec, lineage),
        asset_checks=warning_checks(spec),
        jobs=[*jobs.all(), cancel_job(spec)],
        schedules=model_schedules(spec, jobs),
        sensors=[
            file_sensor(spec, jobs),
            automation_sensor(spec),
            *day_sensors(spec, jobs),
            drift_retraining(spec, jobs),
            bad_model_rollback(spec, jobs),
        ],
    )


def shared_definitions(
    settings: Settings,
    resources: Resources,
    jobs: Sequence[ModelJobs],
    parts: Sequence[dg.Definitions],
) -> dg.Definitions:
    """What all models share: resources, the sensors that wait, alerts, and in azure the links."""
    specs = [each.spec for each in jobs]
    seconds, webhook = settings.poll_seconds, settings.alert_webhook.get_secret_value()
    owners = dict.fromkeys(owner for spec in specs for owner in spec.owners)
    checked = [
        each
        for part in parts
        for each in (*(part.assets or ()), *(part.asset_checks or ()))
        if isinstance(each, dg.AssetsDefinition)
    ]
    return dg.Definitions(
        assets=workspace_link_assets(list(owners)) if resources.workspace_links else [],
        sensors=[
            *(polling_sensors(jobs, resources.awaited, seconds=seconds) if jobs else ()),
            cancel_with_run(specs),
            failure_alerts(webhook),
            check_alerts(checked, webhook),
        ],
        resources=dagster_resources(resources.by_name()),
        executor=dg.in_process_executor,
    )
