"""`bikecast models`: the registered versions."""

from __future__ import annotations

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.console import stderr_console, stdout_console
from pipelines.cli.tables import rows_table
from pipelines.environments import registry_for, sql_pool_for
from pipelines.home import open_home
from pipelines.settings import load_settings


def models_command() -> None:
    """Print all versions, newest first; the live one is what the pool's procedure uses."""
    from resources.sql_pool.model_table import audit_trail, live_model

    home = open_home(load_settings())
    versions = registry_for(home).versions(BIKE_RENTALS.model_name)
    if not versions:
        stderr_console().print("No model is registered yet. Start with: bikecast run")
        return
    pool = sql_pool_for(home)
    live = live_model(pool, BIKE_RENTALS)
    reasons: dict[int, str] = {}
    for entry in audit_trail(pool, BIKE_RENTALS):
        reasons.setdefault(entry.candidate, f"{entry.action}: {entry.reason}")
    rows = [
        (
            version.version,
            "live" if live and live.version == version.version else "",
            version.created_at.astimezone().strftime("%Y-%m-%d %H:%M"),
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
