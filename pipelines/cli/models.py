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
    from resources.sql_pool.model_table import live_model

    home = open_home(load_settings())
    versions = registry_for(home).versions(BIKE_RENTALS.model_name)
    if not versions:
        stderr_console().print("No model is registered yet. Start with: bikecast run")
        return
    live = live_model(sql_pool_for(home), BIKE_RENTALS)
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
            version.job_id,
        )
        for version in versions
    ]
    names = ("version", "", "created", "time-ordered", "holdout", "cv", "RMSE", "digest", "job")
    stdout_console().print(rows_table(names, rows, title=BIKE_RENTALS.model_name))
