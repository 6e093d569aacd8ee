"""The state of everything on one screen: models, runs, jobs, freshness, switches, orphans."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.events import latest_metadata
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.spec import ModelSpec
from pipelines.doctor.damage import QUICK_BYTES, damage, line
from pipelines.environments import Resources
from pipelines.home import Home
from pipelines.in_process.dead_runs import dead_runs
from pipelines.in_process.orphan_jobs import orphan_jobs
from pipelines.reports.durations import duration
from pipelines.sensors.polling import PollCursor, finished_jobs, read_submissions
from resources.automl.port import AutoML

#: The location's name in workspace.yaml and pyproject.toml: a switch of another is none of ours.
LOCATION = "bikecast"


@dataclass(frozen=True)
class Health:
    """What `bikecast status` shows, `live` by model; `problems` is empty where all is well."""

    live: list[dict[str, Any]]
    last_run: dict[str, object]
    pending_jobs: list[dict[str, object]]
    assets: list[dict[str, object]]
    switches: list[dict[str, object]]
    problems: list[str]


def health_of(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    specs: Sequence[ModelSpec],
    resources: Resources,
    home: Home,
) -> Health:
    """Read the state of all models; nothing is changed."""
    problems: list[str] = []
    live = [
        _live(spec, resources, problems) | {"data in the lake": _source(instance, spec)}
        for spec in specs
    ]
    last = _last_run(instance, problems)
    jobs = [row for spec in specs for row in _jobs(instance, spec, resources, problems)]
    assets = _assets(defs, instance, problems)
    problems += [
        f"{path} is a training job that no run knows of; the next `bikecast run` removes it"
        for spec in specs
        for path in orphan_jobs(instance, spec, resources.automl)
    ]
    problems += [
        f"run {run.run_id} is marked as running, but its process is gone; "
        "the next `bikecast run` marks it as failed"
        for run in dead_runs(instance)
    ]
    problems += [f"{line(home, finding)}: bikecast repair" for finding in damage(home, QUICK_BYTES)]
    return Health(live, last, jobs, assets, _switches(defs, instance), problems)


def _live(spec: ModelSpec, resources: Resources, problems: list[str]) -> dict[str, Any]:
    from assets.live_model.live_model import ALIAS
    from assets.model_tags import TRAINED_ON
    from resources.sql_pool.model_table import audit_trail, live_model

    power = resources.sql_pool_power.status()
    if power.state is not JobState.COMPLETED:  # not resumed for a look
        versions = resources.registry.versions(spec.model_name)
        aliased = [entry.version for entry in versions if ALIAS in entry.aliases]
        return {
            "model": spec.model_name,
            "version": aliased[0] if aliased else None,
            "SQL pool": f"{power.progress['status']}: the version is the registry's",
        }
    versions = resources.registry.versions(spec.model_name)
    live = live_model(resources.sql_pool, spec)
    if live is None:
        problems.append(f"no version of {spec.name} is live: bikecast run --model {spec.name}")
        return {"model": spec.model_name, "version": None}
    why = [
        entry
        for entry in audit_trail(resources.sql_pool, spec)
        if entry.to_version == live.version and entry.action != "keep"
    ]
    problems += [
        f"the registry's alias disagrees about version {entry.version}; "
        "the next run or sensor tick corrects it"
        for entry in versions
        if (ALIAS in entry.aliases) != (entry.version == live.version)
    ]
    registered = next((entry for entry in versions if entry.version == live.version), None)
    return {
        "model": spec.model_name,
        "version": live.version,
        "since": live.published_at,
        "by": why[0].actor if why else "",
        "why": why[0].reason if why else "",
        "trained on": registered.tags.get(TRAINED_ON, "") if registered else "",
        "scores": dict(registered.scores) if registered else {},
    }


def _source(instance: dg.DagsterInstance, spec: ModelSpec) -> str:
    """Where the training file in the lake came from."""
    return str(latest_metadata(instance, spec.source_asset, "source") or "none yet")


def _last_run(instance: dg.DagsterInstance, problems: list[str]) -> dict[str, object]:
    records = instance.get_run_records(limit=1)
    if not records:
        return {}
    run = records[0].dagster_run
    if run.status is dg.DagsterRunStatus.FAILURE:
        problems.append(f"the last run failed: {run.job_name} {run.run_id}")
    created = records[0].create_timestamp.replace(tzinfo=dt.UTC)
    return {"run": run.run_id, "job": run.job_name, "status": run.status.value, "at": created}


def pending_jobs(instance: dg.DagsterInstance, spec: ModelSpec, automl: AutoML) -> list[JobStatus]:
    """Submitted training jobs that no run has finished; the last hundred submissions."""
    records = instance.fetch_materializations(dg.AssetKey(spec.run_asset), limit=100).records
    first = min((record.storage_id for record in records), default=1)
    cursor = PollCursor(after={spec.run_asset: first - 1})
    read_submissions(instance, spec.run_asset, cursor)
    finished = finished_jobs(instance, spec.model_table)
    return [automl.status(job_id) for job_id in cursor.pending if job_id not in finished]


def _jobs(
    instance: dg.DagsterInstance, spec: ModelSpec, resources: Resources, problems: list[str]
) -> list[dict[str, object]]:
    """The pending jobs as rows; a job that is gone is a problem."""
    pending: list[dict[str, object]] = []
    for status in pending_jobs(instance, spec, resources.automl):
        if status.state is JobState.NOT_FOUND:
            problems.append(f"training job {status.job_id} was submitted but is gone: bikecast run")
        pending.append({"job": status.job_id, "state": str(status.state), "where": status.link})
    return pending


def _assets(
    defs: dg.Definitions, instance: dg.DagsterInstance, problems: list[str]
) -> list[dict[str, object]]:
    """Age of each asset in hours, against its freshness policy."""
    now = dt.datetime.now(dt.UTC)
    rows: list[dict[str, object]] = []
    graph = defs.resolve_asset_graph()
    for key in graph.toposorted_asset_keys:
        event = instance.get_latest_materialization_event(key)
        age = None
        if event is not None:
            age = (now - dt.datetime.fromtimestamp(event.timestamp, dt.UTC)).total_seconds() / 3600
        policy = graph.get(key).freshness_policy
        limit, warn = (_hours(policy, name) for name in ("fail_window", "warn_window"))
        state = "never" if age is None else "fresh"
        if age is not None and limit is not None and age > limit:
            state = "late"
            problems.append(f"{key.to_user_string()} is late: {duration(age * 3_600)} old")
        elif age is not None and warn is not None and age > warn:
            state = "nearly late"
        rows.append(
            {
                "asset": key.to_user_string(),
                "hours old": None if age is None else round(age, 4),
                "late after": limit,
                "state": state,
            }
        )
    return rows


def _switches(defs: dg.Definitions, instance: dg.DagsterInstance) -> list[dict[str, object]]:
    """Sensors and schedules: on or off, as people set it or by default."""
    set_by_people = {
        state.instigator_name: state.status.value
        for state in instance.all_instigator_state()
        if state.origin.repository_origin.code_location_origin.location_name == LOCATION
    }
    repository = defs.get_repository_def()
    rows: list[dict[str, object]] = []
    for name, items in (
        ("sensor", repository.sensor_defs),
        ("schedule", repository.schedule_defs),
    ):
        for item in items:
            status = set_by_people.get(item.name, "DECLARED_IN_CODE")
            if status == "DECLARED_IN_CODE":
                status = item.default_status.value
            on = "on" if status == "RUNNING" else "off"
            rows.append({"kind": name, "name": item.name, "on": on})
    return rows


def _hours(policy: dg.FreshnessPolicy | None, window: str) -> float | None:
    """The length of a policy's window; None where it has no such window."""
    length = getattr(policy, window, None)
    return length.to_timedelta().total_seconds() / 3600 if length else None
