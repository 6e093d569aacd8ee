"""`bikecast explain` and `bikecast status`: where a prediction comes from, and how all is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import local_time, print_json, rows_table, show, stdout_console


def explain(
    day: Annotated[str, typer.Argument(help="The day (2013-01-01), or the number of the row.")],
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk back from one prediction to its model, run, data version and source lines."""
    from pipelines.cli.online import online_pool
    from pipelines.installation import open_installation
    from pipelines.reports.provenance import provenance_of
    from pipelines.settings import load_settings

    settings = load_settings(model=model)
    with (
        open_installation(settings) as here,
        online_pool(here.resources.sql_pool_power),
    ):
        provenance = provenance_of(
            day, here.instance, here.model(settings.model).spec, here.resources
        )
    if as_json:
        print_json(vars(provenance))
        return
    _print_facts("Prediction", provenance.prediction)
    _print_facts("Model", provenance.model)
    _print_rows("Why this version was live", provenance.why_live)
    _print_facts("Run that scored it", provenance.run)
    _print_facts("Data the model was trained on", provenance.training_data)
    _print_facts("Source of the scored row", provenance.source_line)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how all is: models, last run, jobs, freshness, switches; exit code 1 on problems."""
    from pipelines.installation import open_installation
    from pipelines.reports.health import health_of
    from pipelines.settings import load_settings

    with open_installation(load_settings()) as here:
        specs = [model.spec for model in here.models]
        health = health_of(here.defs, here.instance, specs, here.resources)
    if as_json:
        print_json(vars(health))
    else:
        for live in health.live:
            _print_facts("Live model", live)
        _print_facts("Last run", health.last_run)
        _print_rows("Training jobs not finished", health.pending_jobs)
        _print_rows("Assets", health.assets)
        _print_rows("Switches", health.switches)
        show("Problems: " + "; ".join(health.problems or ["none"]))
    if health.problems:
        sys.exit(1)


def _print_facts(title: str, facts: Mapping[str, object]) -> None:
    show(title, style="bold")
    for name, value in facts.items():
        show(f"  {name:<24} {_shown(value)}")


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        return local_time(value)
    return "" if value is None else value


def _print_rows(title: str, rows: list[dict[str, object]]) -> None:
    if rows:
        names = list(rows[0])
        cells = [[_shown(row[name]) for name in names] for row in rows]
        stdout_console().print(rows_table(names, cells, title=title))
    else:
        show(f"{title}: none")
