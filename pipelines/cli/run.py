"""`bikecast run`: the main job with live progress, then the forecast."""

from __future__ import annotations

import json
import sys

from pipelines.bike_rentals import BIKE_RENTALS, MAIN_JOB
from pipelines.cli.plan import with_sources
from pipelines.cli.progress import Progress
from pipelines.cli.report import print_report
from pipelines.cli.values import plain
from pipelines.home import full_disk_explained, open_home
from pipelines.installation import open_installation
from pipelines.logs import open_log
from pipelines.main_job import Outcome, run_main_job, sole_run
from pipelines.settings import load_settings
from resources.errors import InvalidInput
from resources.lake.sources import check_paths


def run_command(
    *, csv: str | None, forecast: str | None, budget: float | None, retrain: bool, as_json: bool
) -> None:
    """Run the main job and print what it made."""
    settings = load_settings(csv=csv, forecast=forecast, budget=budget)
    if settings.env == "azure":
        raise InvalidInput(
            "`bikecast run` waits for the training in its own process, which is for the local "
            "environment. Nothing was started. In azure: `bikecast ui`, then Materialize all; its "
            "sensors wait. `bikecast plan` says what that costs."
        )
    settings = with_sources(settings)
    check_paths(settings.csv, settings.forecast)
    home = open_home(settings)
    log = open_log(home)
    log.info("run: csv %s, forecast %s, retrain %s", settings.csv, settings.forecast, retrain)
    training = {"budget_seconds": settings.budget, "retrain": retrain}
    with (
        full_disk_explained(home),
        Progress(BIKE_RENTALS) as progress,
        sole_run(home, progress),
        open_installation(settings) as installation,
    ):
        outcome = run_main_job(
            installation.defs,
            installation.instance,
            BIKE_RENTALS,
            installation.resources,
            main_job=MAIN_JOB,
            run_config={"ops": {BIKE_RENTALS.run_asset: {"config": training}}},
            watcher=progress,
        )
    if as_json:
        json.dump(as_object(outcome), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        print_report(BIKE_RENTALS, outcome, home)


def as_object(outcome: Outcome) -> dict[str, object]:
    """The outcome as one JSON object."""
    model = outcome.model
    return {
        "predictions": plain(outcome.predictions),
        "model": {
            "name": model.name,
            "version": model.version,
            "digest": model.digest,
            "job_id": model.job_id,
        },
        "candidate": {
            "version": outcome.candidate.version,
            "live": outcome.candidate.version == model.version,
            "decision": outcome.decision,
        },
        "trained": outcome.trained,
        "leaderboard": plain(outcome.result.leaderboard),
        "scores": plain(outcome.result.scores),
        "seconds": dict(outcome.seconds),
        "warnings": [*outcome.warnings],
        "run_ids": outcome.run_ids,
    }
