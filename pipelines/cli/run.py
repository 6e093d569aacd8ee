"""`bikecast run`: the main job with live progress, then the forecast."""

from __future__ import annotations

import json
import os
import sys

from pipelines.bike_rentals import BIKE_RENTALS, MAIN_JOB
from pipelines.cli.progress import Progress
from pipelines.cli.report import print_report
from pipelines.cli.values import plain
from pipelines.home import open_home
from pipelines.main_job import Outcome, run_main_job, sole_run
from pipelines.settings import Settings, load_settings
from resources.spec import ModelSpec


def run_command(
    *, csv: str | None, forecast: str | None, budget: float | None, retrain: bool, as_json: bool
) -> None:
    """Run the main job and print what it made."""
    settings = load_settings()
    home = open_home(settings)
    with Progress(BIKE_RENTALS) as progress, sole_run(home, progress):
        import dagster as dg

        from pipelines.build import build_definitions
        from pipelines.environments import local_resources

        resources = local_resources(BIKE_RENTALS, settings)
        defs = build_definitions(
            BIKE_RENTALS,
            resources,
            main_job=MAIN_JOB,
            budget_seconds=settings.budget,
            poll_seconds=settings.poll_seconds,
        )
        with dg.DagsterInstance.get() as instance:
            outcome = run_main_job(
                defs,
                instance,
                BIKE_RENTALS,
                resources,
                main_job=MAIN_JOB,
                run_config=_run_config(BIKE_RENTALS, settings, csv, forecast, budget, retrain),
                watcher=progress,
            )
    if as_json:
        json.dump(as_object(outcome), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        print_report(BIKE_RENTALS, outcome, home)


def _run_config(
    spec: ModelSpec,
    settings: Settings,
    csv: str | None,
    forecast: str | None,
    budget: float | None,
    retrain: bool,
) -> dict[str, object]:
    """What this run asks of its assets; relative paths are made absolute for later re-runs."""
    source, to_score = csv or settings.csv or "sample", forecast or settings.forecast or "sample"
    return {
        "ops": {
            spec.source_asset: {"config": {"source": _absolute(source)}},
            f"{spec.scoring_table}_file": {"config": {"source": _absolute(to_score)}},
            spec.run_asset: {
                "config": {"budget_seconds": budget or settings.budget, "retrain": retrain}
            },
        }
    }


def _absolute(source: str) -> str:
    is_path = source != "sample" and "://" not in source
    return os.path.abspath(os.path.expanduser(source)) if is_path else source  # noqa: PTH100, PTH111


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
        "trained": outcome.trained,
        "leaderboard": plain(outcome.result.leaderboard),
        "scores": plain(outcome.result.scores),
        "seconds": dict(outcome.seconds),
        "warnings": [*outcome.warnings],
        "run_ids": outcome.run_ids,
    }
