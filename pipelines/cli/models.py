"""`bikecast models`: the registered versions."""

from __future__ import annotations

from bikecast.core.jobs import JobState
from pipelines.bike_rentals import BIKE_RENTALS, SAMPLES
from pipelines.cli.console import stderr_console, stdout_console
from pipelines.cli.tables import rows_table
from pipelines.cli.values import local_time
from pipelines.environments import Resources, resources_for
from pipelines.home import full_disk_explained, open_home
from pipelines.settings import load_settings


def models_command() -> None:
    """Print all versions, newest first; the live one is what the pool's procedure uses.

    A paused pool is not resumed for this: the registry's alias tells the version then.
    """
    settings = load_settings()
    home = open_home(settings)
    with full_disk_explained(home):
        here = resources_for(BIKE_RENTALS, settings, SAMPLES)
        _print_models(here)


def _print_models(here: Resources) -> None:
    from assets.live_model.live_model import ALIAS
    from resources.sql_pool.model_table import audit_trail, live_model

    versions = here.registry.versions(BIKE_RENTALS.model_name)
    if not versions:
        stderr_console().print("No model is registered yet. Start with: bikecast run")
        return
    live = {version.version for version in versions if ALIAS in version.aliases}
    reasons: dict[int, str] = {}
    power = here.sql_pool_power.status()
    if power.state is JobState.COMPLETED:
        found = live_model(here.sql_pool, BIKE_RENTALS)
        live = {found.version} if found else set()
        for entry in audit_trail(here.sql_pool, BIKE_RENTALS):
            reasons.setdefault(entry.candidate, f"{entry.action}: {entry.reason}")
    else:
        said = f"The SQL pool is {power.progress['status']}: the live version is the registry's."
        stderr_console().print(said, highlight=False)
    rows = [
        (
            version.version,
            "live" if version.version in live else "",
            local_time(version.created_at),
            version.scores.get("time_ordered_spearman"),
            version.scores.get("holdout_spearman"),
            version.scores.get("cv_spearman"),
            version.scores.get("holdout_rmse"),
            version.digest[:12],
            version.tags.get("data_version", "")[:12],
            version.job_id,
        )
        for version in versions
    ]
    scores = ("time-ordered", "holdout", "cv", "RMSE")
    names = ("version", "", "created", *scores, "digest", "data", "job")
    stdout_console().print(rows_table(names, rows, title=BIKE_RENTALS.model_name))
    for version in versions:
        if version.version in reasons:
            line = f"version {version.version}: {reasons[version.version]}"
            stdout_console().print(line, highlight=False, markup=False, soft_wrap=True)
