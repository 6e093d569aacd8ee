"""`bikecast explain` and `bikecast status`: where a prediction comes from, and how all is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.console import stdout_console
from pipelines.cli.online import online_pool
from pipelines.cli.tables import rows_table
from pipelines.cli.values import local_time, print_json
from pipelines.installation import open_installation
from pipelines.settings import load_settings


def explain_command(key: str, *, as_json: bool) -> None:
    """Print the provenance of one prediction."""
    from pipelines.reports.provenance import explain

    with (
        open_installation(load_settings()) as here,
        online_pool(here.resources.sql_pool_power),
    ):
        found = explain(key, here.instance, BIKE_RENTALS, here.resources)
    if as_json:
        print_json(vars(found))
        return
    _print_facts("Prediction", found.prediction)
    _print_facts("Model", found.model)
    _print_rows("Why this version was live", found.why_live)
    _print_facts("Run that scored it", found.run)
    _print_facts("Data the model was trained on", found.training_data)
    _print_facts("Source of the scored row", found.source_line)


def status_command(*, as_json: bool) -> None:
    """Print the state of everything; exit code 1 where something is wrong."""
    from pipelines.reports.health import health

    with open_installation(load_settings()) as here:
        found = health(here.defs, here.instance, BIKE_RENTALS, here.resources)
    if as_json:
        print_json(vars(found))
    else:
        _print_facts("Live model", found.live)
        _print_facts("Last run", found.last_run)
        _print_rows("Training jobs not finished", found.pending_jobs)
        _print_rows("Assets", found.assets)
        _print_rows("Switches", found.switches)
        said = found.problems or ["none"]
        stdout_console().print("Problems: " + "; ".join(said), highlight=False, soft_wrap=True)
    if found.problems:
        sys.exit(1)


def _print_facts(title: str, facts: Mapping[str, object]) -> None:
    out = stdout_console()
    out.print(title, style="bold")
    for name, value in facts.items():
        out.print(f"  {name:<24} {_shown(value)}", highlight=False, markup=False, soft_wrap=True)


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
        stdout_console().print(f"{title}: none", highlight=False)
