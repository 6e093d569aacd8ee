"""The state of everything on one screen: models, runs, jobs, freshness, switches, orphans."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.spec import ModelSpec
from pipelines.catalog import Definitions
from pipelines.doctor.damage import QUICK_BYTES, damage, line
from pipelines.environments import Resources
from pipelines.event_log.port import EventLog, latest
from pipelines.in_process.dead_runs import dead_runs
from pipelines.in_process.orphan_jobs import orphan_jobs
from pipelines.installation import View
from pipelines.reports.durations import duration
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


def health_of(here: View) -> Health:
    """Read the state of all models; nothing is changed."""
    problems: list[str] = []
    log, resources = here.log, here.resources
    specs = [model.spec for model in here.models]
    live = [
        _live(spec, resources, problems) | {"data in the lake": _source(log, spec)}
        for spec in specs
    ]
    last = _last_run(log, problems)
    jobs = [row for spec in specs for row in _jobs(log, spec, resources, problems)]
    assets = _assets(here.definitions, log, problems)
    problems += [
        f"{path} is a training job that no run knows of; the next `bikecast run` removes it"
        for spec in specs
        for path in orphan_jobs(log, spec, resources.automl)
    ]
    problems += [
        f"run {run_id} is marked as running, but its process is gone; "
        "the next `bikecast run` marks it as failed"
        for run_id in dead_runs(log)
    ]
    problems += [
        f"{line(here.home, finding)}: bikecast repair" for finding in damage(here.home, QUICK_BYTES)
    ]
    return Health(live, last, jobs, assets, _switches(here.definitions, log), problems)


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


def _source(log: EventLog, spec: ModelSpec) -> str:
    """Where the training file in the lake came from."""
    event = latest(log, spec.source_asset)
    return str((event.metadata.get("source") if event else None) or "none yet")


def _last_run(log: EventLog, problems: list[str]) -> dict[str, object]:
    run = log.last_run()
    if run is None:
        return {}
    if run.status == "FAILURE":
        problems.append(f"the last run failed: {run.job} {run.run_id}")
    return {"run": run.run_id, "job": run.job, "status": run.status, "at": run.created}


def pending_jobs(log: EventLog, spec: ModelSpec, automl: AutoML) -> list[JobStatus]:
    """Submitted training jobs that no run has finished; the last hundred submissions."""
    submitted = [event.data_version for event in islice(log.materializations(spec.run_asset), 100)]
    models = islice(log.materializations(spec.model_table), 100)
    finished = {event.metadata.get("job_id") for event in models}
    return [
        automl.status(job_id)
        for job_id in dict.fromkeys(reversed(submitted))
        if job_id and job_id not in finished
    ]


def _jobs(
    log: EventLog, spec: ModelSpec, resources: Resources, problems: list[str]
) -> list[dict[str, object]]:
    """The pending jobs as rows; a job that is gone is a problem."""
    pending: list[dict[str, object]] = []
    for status in pending_jobs(log, spec, resources.automl):
        if status.state is JobState.NOT_FOUND:
            problems.append(f"training job {status.job_id} was submitted but is gone: bikecast run")
        pending.append({"job": status.job_id, "state": str(status.state), "where": status.link})
    return pending


def _assets(
    definitions: Definitions, log: EventLog, problems: list[str]
) -> list[dict[str, object]]:
    """Age of each asset in hours, against its freshness policy."""
    now = time.time()
    rows: list[dict[str, object]] = []
    for asset in definitions.assets:
        event = latest(log, asset.name)
        age = None if event is None else (now - event.time) / 3600
        state = "never" if age is None else "fresh"
        if age is not None and asset.late_hours is not None and age > asset.late_hours:
            state = "late"
            problems.append(f"{asset.name} is late: {duration(age * 3_600)} old")
        elif age is not None and asset.warning_hours is not None and age > asset.warning_hours:
            state = "nearly late"
        rows.append(
            {
                "asset": asset.name,
                "hours old": None if age is None else round(age, 4),
                "late after": asset.late_hours,
                "state": state,
            }
        )
    return rows


def _switches(definitions: Definitions, log: EventLog) -> list[dict[str, object]]:
    """Sensors and schedules: on or off, as people set it or by default."""
    set_by_people = log.switches(LOCATION)
    rows: list[dict[str, object]] = []
    for switch in definitions.switches:
        status = set_by_people.get(switch.name, "DECLARED_IN_CODE")
        on = switch.on if status == "DECLARED_IN_CODE" else status == "RUNNING"
        rows.append({"kind": switch.kind, "name": switch.name, "on": "on" if on else "off"})
    return rows
