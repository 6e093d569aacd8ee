"""`bikecast rollback`: an earlier model version becomes the live one again."""

from __future__ import annotations

import getpass

from pipelines.bike_rentals import BIKE_RENTALS, MAIN_JOB, SAMPLES
from pipelines.cli.console import stdout_console
from pipelines.cli.progress import Progress
from pipelines.home import open_home
from pipelines.logs import open_log
from pipelines.main_job import run_rollback
from pipelines.settings import load_settings


def rollback_command(version: int | None) -> None:
    """Run the rollback job in this process and say which version is live."""
    settings = load_settings()
    home = open_home(settings)
    open_log(home).info("rollback: version %s", version or "before the live one")
    with Progress(BIKE_RENTALS) as progress:
        import dagster as dg

        from pipelines.build import build_definitions
        from pipelines.cli.online import online_pool
        from pipelines.environments import resources_for

        here = resources_for(BIKE_RENTALS, settings, SAMPLES)
        defs = build_definitions(
            BIKE_RENTALS,
            here,
            main_job=MAIN_JOB,
            budget_seconds=settings.budget,
            poll_seconds=settings.poll_seconds,
        )
        with (
            dg.DagsterInstance.get() as instance,
            online_pool(here.sql_pool_power, instance),
        ):
            done = run_rollback(
                defs,
                instance,
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
