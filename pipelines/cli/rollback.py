"""`bikecast rollback`: an earlier model version becomes the live one again."""

from __future__ import annotations

import getpass

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.console import stdout_console
from pipelines.cli.online import online_pool
from pipelines.cli.progress import Progress
from pipelines.in_process.main_job import run_rollback
from pipelines.installation import open_installation
from pipelines.logs import open_log
from pipelines.settings import load_settings


def rollback_command(version: int | None) -> None:
    """Run the rollback job in this process and say which version is live."""
    with Progress(BIKE_RENTALS) as progress, open_installation(load_settings()) as here:
        open_log(here.home).info("rollback: version %s", version or "before the live one")
        with online_pool(here.resources.sql_pool_power, here.instance):
            done = run_rollback(
                here.defs,
                here.instance,
                BIKE_RENTALS,
                version=version,
                actor=_user(),
                watcher=progress,
            )
    stdout_console().print(
        f"Live: version {done['version']} of {BIKE_RENTALS.model_name} ({done['reason']}).\n"
        "The stored predictions are still those of the other version. "
        "Next: bikecast run, or the job `score`.",
        highlight=False,
        markup=False,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return "unknown"
