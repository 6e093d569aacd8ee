"""`bikecast explain` and `bikecast status`: where a prediction comes from, and how all is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import Wide, print_facts, print_json, print_rows, show


def explain(
    day: Annotated[str, typer.Argument(help="The day (2013-01-01), or the number of the row.")],
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wide: Wide = False,
) -> None:
    """Walk back from one prediction to its model, run, data version and source lines."""
    from pipelines.cli.online import online_pool
    from pipelines.installation import open_view
    from pipelines.reports.provenance import provenance_of
    from pipelines.settings import load_settings

    settings = load_settings(model=model)
    with (
        open_view(settings) as here,
        online_pool(here.resources.sql_pool_power),
    ):
        provenance = provenance_of(day, here.log, here.model(settings.model).spec, here.resources)
    if as_json:
        print_json(vars(provenance))
        return
    print_facts("Prediction", provenance.prediction)
    print_facts("Model", provenance.model)
    print_rows("Why this version was live", provenance.why_live, wide=wide)
    print_facts("Run that scored it", provenance.run)
    print_facts("Data the model was trained on", provenance.training_data)
    print_facts("Source of the scored row", provenance.source_line)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wide: Wide = False,
) -> None:
    """Show how all is: models, last run, jobs, freshness, switches; exit code 1 on problems."""
    from pipelines.cli.report import by_kind, print_scores
    from pipelines.installation import open_view
    from pipelines.reports.health import health_of
    from pipelines.settings import load_settings

    with open_view(load_settings()) as here:
        health = health_of(here)
    if as_json:
        print_json(vars(health))
    else:
        for live in health.live:
            print_facts("Live model", {k: v for k, v in live.items() if k != "scores"})
            if scores := live.get("scores"):
                print_scores(by_kind(scores), "Its scores", wide=wide)
        print_facts("Last run", health.last_run or {"run": "none yet; bikecast run starts one"})
        print_rows("Training jobs not finished", health.pending_jobs, wide=wide)
        print_rows("Assets", [_with_words(row) for row in health.assets], wide=wide)
        print_rows("Switches", health.switches, wide=wide)
        show("Problems: " + "; ".join(health.problems or ["none"]))
    if health.problems:
        sys.exit(1)


def _with_words(row: dict[str, object]) -> dict[str, object]:
    """A row of the assets with its lengths of time in words."""
    from pipelines.reports.durations import duration

    age, late = row["hours old"], row["late after"]
    return {
        "asset": row["asset"],
        "age": duration(3_600 * age) if isinstance(age, float) else "",
        "late after": duration(3_600 * late) if isinstance(late, float) else "",
        "state": row["state"],
    }
