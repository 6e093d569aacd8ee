"""`bikecast rescore`: a range of days is scored again, by any version."""

from __future__ import annotations

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.console import stdout_console
from pipelines.cli.online import online_pool
from pipelines.cli.progress import Progress
from pipelines.installation import open_installation
from pipelines.logs import open_log
from pipelines.settings import load_settings


def rescore_command(first: str, last: str, version: int | None) -> None:
    """Run the job `rescore` in this process and say where the predictions are."""
    from pipelines.in_process.rescoring import check_range, run_rescoring

    check_range(BIKE_RENTALS, first, last)
    settings = load_settings(daily_partitions=True)
    with Progress(BIKE_RENTALS) as progress, open_installation(settings) as here:
        open_log(here.home).info("rescore: %s to %s, version %s", first, last, version or "live")
        with online_pool(here.resources.sql_pool_power, here.instance):
            done = run_rescoring(
                here.defs,
                here.instance,
                BIKE_RENTALS,
                first=first,
                last=last,
                version=version,
                watcher=progress,
            )
    stdout_console().print(
        f"Scored {done['dagster/partition_row_count']} rows of {first} to {last} with version "
        f"{done['model_version']}: {done['dagster/table_name']}.",
        highlight=False,
        markup=False,
    )
