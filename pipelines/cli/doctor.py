"""`bikecast doctor`: what is wrong with this installation, and what mends it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich import box
from rich.table import Table
from rich.text import Text

from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS, SAMPLES
from pipelines.cli.console import stdout_console
from pipelines.cli.values import print_json
from pipelines.doctor.checks import Check, Finding, examine
from pipelines.doctor.this_machine import local_checks
from pipelines.settings import Settings, load_azure_settings, load_settings

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def doctor_command(*, as_json: bool, seconds: float) -> None:
    """Print all findings; exit code 1 where something fails."""
    found = findings(seconds)
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        print_findings(found)
    if any(finding.state == "failed" for finding in found):
        sys.exit(1)


def findings(seconds: float) -> list[Finding]:
    """The settings first; then this machine, and the services where the settings are right."""
    try:
        settings = load_settings()
    except InvalidInput as error:
        wrong = Finding("settings", "settings", "failed", str(error), "Correct them there")
        skipped = Finding("azure", "services", "skipped", "the settings are to be corrected first")
        return [wrong, *examine(local_checks(Settings.model_construct()), seconds), skipped]
    told = Finding("settings", "settings", "ok", f"valid, environment {settings.env}")
    if settings.env == "local":
        return [told, *examine(local_checks(settings), seconds)]
    azure = load_azure_settings()
    checks = local_checks(settings, azure.odbc_driver) + _of_azure(settings)
    return [told, *examine(checks, seconds)]


def _of_azure(settings: Settings) -> list[Check]:
    from pipelines.doctor.azure import azure_checks
    from pipelines.environments import resources_for

    def broken(error: ImportError) -> list[Finding]:
        remedy = 'pip install -e ".[azure]"'
        return [Finding("azure", "SDKs", "failed", f"{error}", remedy)]

    try:
        resources = resources_for(BIKE_RENTALS, settings, SAMPLES)
        return azure_checks(load_azure_settings(), resources, BIKE_RENTALS)
    except ImportError as error:
        caught = error
        return [Check("azure", "SDKs", lambda: broken(caught))]


def print_findings(found: Sequence[Finding]) -> None:
    """Print a table, then what mends each problem."""
    out = stdout_console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "check", "state", "what was found"):
        table.add_column(name, overflow="fold")
    for finding in found:
        state = Text(finding.state, style=_COLOURS[finding.state])
        table.add_row(finding.area, Text(finding.name), state, Text(finding.detail))
    out.print(table)
    for finding in found:
        if finding.remedy and finding.state in ("failed", "warning"):
            out.print(f"{finding.name}: ", style="bold", end="", markup=False, highlight=False)
            out.print(finding.remedy, markup=False, highlight=False, soft_wrap=True)
    counts = {state: sum(each.state == state for each in found) for state in _COLOURS}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    out.print(told, highlight=False)
