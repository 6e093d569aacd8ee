"""`bikecast doctor`: what is wrong with this installation, and what mends it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.output import print_json, show, stdout_console

if TYPE_CHECKING:
    from pipelines.doctor.checks import Check, Diagnosis
    from pipelines.settings import Settings

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds a check may take.")] = 60.0,
) -> None:
    """Check this installation: machine, settings and, in azure, identity, services and roles.

    Each problem is shown with the command or setting that mends it; exit code 1 where one fails.
    """
    diagnoses = _diagnose(timeout)
    if as_json:
        print_json([asdict(each) for each in diagnoses])
    else:
        print_diagnoses(diagnoses)
    if any(each.state == "failed" for each in diagnoses):
        sys.exit(1)


def _diagnose(seconds: float) -> list[Diagnosis]:
    """The settings first; then this machine, and the services where the settings are right."""
    from pipelines.doctor.checks import Diagnosis, examine
    from pipelines.doctor.this_machine import local_checks
    from pipelines.settings import Settings, load_settings

    try:
        settings = load_settings()
    except InvalidInput as error:
        wrong = Diagnosis("settings", "settings", "failed", str(error), "Correct them there")
        text = "the settings are to be corrected first"
        skipped = Diagnosis("azure", "services", "skipped", text)
        rest = Settings.model_construct(home=_home())
        return [wrong, *examine(local_checks(rest), seconds), skipped]
    right = Diagnosis("settings", "settings", "ok", f"valid, environment {settings.env}")
    if settings.env == "local":
        return [right, *examine(local_checks(settings), seconds)]
    checks = local_checks(settings, settings.azure.odbc_driver) + _of_azure(settings)
    return [right, *examine(checks, seconds)]


def _home() -> Path:
    """The home, although other settings are wrong; without .env where that is no text."""
    from pipelines.settings import HomeSettings

    try:
        return HomeSettings().home
    except UnicodeDecodeError:
        return HomeSettings(_env_file=None).home


def _of_azure(settings: Settings) -> list[Check]:
    from pipelines.doctor.azure import azure_checks
    from pipelines.doctor.checks import Check, Diagnosis
    from pipelines.environments import resources_for
    from pipelines.model_files import load_models

    try:
        models = load_models()
        resources = resources_for(settings, models)
        return azure_checks(settings.azure, resources, [model.spec for model in models])
    except ImportError as error:
        remedy = 'pip install -e ".[azure]"'
        absent = Diagnosis("azure", "SDKs", "failed", f"{error}", remedy)
        return [Check("azure", "SDKs", lambda: [absent])]


def print_diagnoses(diagnoses: Sequence[Diagnosis]) -> None:
    """Print a table, then what mends each problem."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = stdout_console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "check", "state", "what was found"):
        table.add_column(name, overflow="fold")
    for each in diagnoses:
        state = Text(each.state, style=_COLOURS[each.state])
        table.add_row(each.area, Text(each.name), state, Text(each.detail))
    out.print(table)
    for each in diagnoses:
        if each.remedy and each.state in ("failed", "warning"):
            out.print(f"{each.name}: ", style="bold", end="", markup=False, highlight=False)
            out.print(each.remedy, markup=False, highlight=False, soft_wrap=True)
    counts = {state: sum(each.state == state for each in diagnoses) for state in _COLOURS}
    show(", ".join(f"{count} {state}" for state, count in counts.items() if count))
