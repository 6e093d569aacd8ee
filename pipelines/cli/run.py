"""`bikecast run`: the main job with live progress, then the forecast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.file_options import RECOGNISED, FileFormat, with_file_options
from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import Wide, print_json, say

if TYPE_CHECKING:
    from bikecast.core.spec import ModelSpec
    from pipelines.cli.progress import Progress
    from pipelines.environments import Resources
    from pipelines.in_process.outcome import Outcome
    from pipelines.installation import Installation
    from pipelines.models import Model
    from pipelines.settings import Settings


@with_file_options
def run(
    csv: Annotated[
        str | None,
        typer.Option(
            help="Training CSV: a path (of a folder too), a glob, a URL, -, or `sample`.  "
            "[default: BIKECAST_CSV, else the file in the lake; the sample where there is none]",
            show_default=False,
        ),
    ] = None,
    forecast: Annotated[
        str | None,
        typer.Option(
            help="CSV with the days to forecast, as for --csv.  "
            "[default: BIKECAST_FORECAST, else as for --csv]",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=86_400,
            help="Seconds for the training at most; it ends when all is tried.  "
            "[default: BIKECAST_BUDGET, else the model's max_training_hours]",
            show_default=False,
        ),
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train again although nothing has changed.")
    ] = False,
    promote: Annotated[
        bool,
        typer.Option(
            "--promote",
            help="Make the model of this run live without a comparison, as is needed for one that "
            "was trained on other data than the live one.",
        ),
    ] = False,
    file_format: FileFormat = RECOGNISED,
    model: ModelOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
    wide: Wide = False,
) -> None:
    """Run the whole pipeline and print the forecast.

    The files are checked first; a wrong one ends the run with exit code 2 and changes nothing.
    A second run on unchanged data and code trains nothing and takes the model that is there. Where
    all is as the last run left it, it has nothing to do, and shows the result at once.
    Without --csv it keeps the data of the last one.

    Examples: `bikecast run`, `bikecast run --csv rentals.csv --forecast days.csv`,
    `bikecast run --json > forecast.json`
    """
    from pipelines.catalog import kept_models
    from pipelines.cli.progress import Progress
    from pipelines.cli.report import print_report
    from pipelines.environments import resources_for
    from pipelines.home import Home, full_disk_explained, open_home
    from pipelines.in_process.sole_run import sole_run
    from pipelines.in_process.unchanged_run import input_of, is_noted, unchanged_run
    from pipelines.logs import open_log
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings

    settings = load_settings(model=model, csv=csv, forecast=forecast, budget=budget, **file_format)
    if settings.env == "azure":
        raise InvalidInput(
            "`bikecast run` waits for the training in its own process, which is for the local "
            "environment. Nothing was started. In azure: `bikecast ui`, then Materialize all; its "
            "sensors wait. `bikecast plan` says what that costs."
        )
    models = kept_models(Home.of(settings))
    spec = chosen_model(models, settings.model).spec
    home = open_home(settings)
    log = open_log(home)
    sources = f"csv {settings.csv}, forecast {settings.forecast}"
    log.info("run: model %s, %s, retrain %s", spec.name, sources, retrain)
    resources = resources_for(settings, models)
    outcome: Outcome | None = None
    with full_disk_explained(home), Progress(spec) as progress:
        inputs = None if promote or retrain else input_of(settings, spec, resources)
        if is_noted(home, spec, inputs):
            with sole_run(home, progress):
                outcome = unchanged_run(home, spec, inputs, resources)
        if outcome is None:
            outcome = _run(
                settings,
                resources,
                models,
                spec,
                progress,
                inputs,
                retrain=retrain,
                promote=promote,
            )
        else:
            run_id = outcome.run_ids[-1]
            log.info("run: nothing to do since run %s", run_id)
            say(f"Nothing to do: all is as run {run_id[:8]} left it, which the UI shows.")
    if as_json:
        print_json(as_object(outcome))
    else:
        print_report(spec, outcome, home, wide=wide)


def _run(
    settings: Settings,
    resources: Resources,
    models: tuple[Model, ...],
    spec: ModelSpec,
    progress: Progress,
    inputs: str | None,
    *,
    retrain: bool,
    promote: bool,
) -> Outcome:
    """Check the files, run everything in Dagster and leave the note of this run."""
    import psutil

    from pipelines.home import Home
    from pipelines.in_process.checked_files import checked_files
    from pipelines.in_process.main_job import run_main_job
    from pipelines.in_process.sole_run import sole_run
    from pipelines.in_process.unchanged_run import note_run
    from pipelines.installation import open_installation

    home = Home.of(settings)
    budget = {} if settings.budget is None else {"budget_seconds": settings.budget}
    training: dict[str, object] = {"retrain": retrain, **budget}
    with checked_files(spec, resources.sources):
        before = time.time() - psutil.Process().create_time()
        with sole_run(home, progress):
            started = time.perf_counter() - before  # the wait for another run does not count
            with (
                open_installation(settings, resources, models) as installation,
                _interruption_explained(installation, settings),
            ):
                outcome = run_main_job(
                    installation,
                    spec,
                    run_config={"ops": {spec.run_asset: {"config": training}}},
                    promote=promote,
                    watcher=progress,
                    started=started,
                )
            note_run(home, spec, inputs, outcome)
    return outcome


@contextmanager
def _interruption_explained(installation: Installation, settings: Settings) -> Iterator[None]:
    """On Ctrl-C, say what goes on without this command."""
    from pipelines.cli.stopping import trainings_that_go_on

    try:
        yield
    except KeyboardInterrupt:
        trainings = trainings_that_go_on(installation.instance, settings)
        say("\n".join(["Interrupted; nothing is half written.", *trainings]))
        raise


def as_object(outcome: Outcome) -> dict[str, object]:
    """The outcome as one JSON object; the top level is about the model that made the predictions.

    What this run's training made stands under `candidate`, also where that is the same version.
    """
    model, candidate = (
        {name: getattr(version, name) for name in ("name", "version", "digest", "job_id")}
        for version in (outcome.model, outcome.candidate)
    )
    return {
        "predictions": outcome.predictions,
        "prediction_rows": outcome.prediction_rows,
        "model": model,
        "leaderboard": outcome.leaderboard,
        "scores": outcome.scores,
        "candidate": {
            **candidate,
            "live": candidate["version"] == model["version"],
            "decision": outcome.decision,
            "leaderboard": outcome.candidate_training.leaderboard,
            "scores": outcome.candidate_training.scores,
        },
        "trained": outcome.trained,
        "seconds": outcome.seconds,
        "warnings": outcome.warnings,
        "run_ids": outcome.run_ids,
    }
