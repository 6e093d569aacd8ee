"""`bikecast smoke --azure`: the smallest real run, recorded and checked against the contract."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.cli.console import stderr_console, stdout_console
from pipelines.cli.doctor import print_findings
from pipelines.cli.plan import is_within_limit, print_plan
from pipelines.cli.progress import Progress
from pipelines.doctor.checks import examine
from pipelines.home import full_disk_explained, open_home
from pipelines.in_process.main_job import sole_run
from pipelines.logs import LOGGER, open_log
from pipelines.reports.plan import make_plan
from pipelines.settings import AzureSettings, load_azure_settings, load_settings
from pipelines.smoke.calls import call_table

if TYPE_CHECKING:
    from pipelines.installation import Installation
    from pipelines.smoke.chain import Chain, Pause
    from pipelines.smoke.contract import KindReport
    from pipelines.smoke.recording import Recorder

TEACHES = (
    "`bikecast smoke --azure` makes the smallest real run in your Azure account: a few simulated "
    "rows through the data lake, a Spark batch, an AutoML job of two trials, the model registry "
    "and the SQL pool, under names of its own. It shows what that costs and asks first, records "
    "what Azure answers, redacted, and compares it with the table in docs/azure.md. Nothing was "
    "started. "
)
DOCTOR_SECONDS = 60.0
#: The chain is complete, but Azure answers otherwise than the table of calls says.
DIFFERS = 3
_HANG_UPS = (signal.SIGTERM, signal.SIGHUP)
#: The manifest has the whole of a longer note.
NOTE_LENGTH = 160
_COLOURS = {"differs": "bold red", "new": "bold red", "refused": "yellow", "as expected": "green"}


def smoke_command(
    *,
    azure: bool,
    yes: bool,
    output: Path | None,
    minutes: float,
    ignore_doctor: bool,
    pause: Pause | None = None,
) -> None:
    """Run it; exit code 1 where it fails, 3 where it is done but the contract differs.

    `pause` lets time pass between two looks, in place of `time.sleep`.
    """
    if not azure:
        raise InvalidInput(TEACHES + "Add --azure.")
    settings = load_settings()
    if settings.env != "azure":
        raise InvalidInput(
            TEACHES + "BIKECAST_ENV is local: set BIKECAST_ENV=azure and the settings of "
            "docs/azure.md, then `bikecast doctor` says what is missing."
        )
    from pipelines.smoke.http import heard_calls
    from pipelines.smoke.installation import open_smoke, recorder_for
    from pipelines.smoke.spec import smoke_settings

    settings, place = smoke_settings(settings), load_azure_settings()
    home = open_home(settings)
    open_log(home)
    recorder = recorder_for(place, output or home.root / "recordings")
    failed: BaseException | None = None
    progress = Progress(_spec())
    try:
        with (
            full_disk_explained(home),
            sole_run(home, progress),
            heard_calls(recorder.hear),
            open_smoke(settings, home, recorder) as here,
        ):
            if not _agreed(here, place, yes=yes, ignore_doctor=ignore_doctor):
                recorder.discard()
                _say("Nothing was started.")
                sys.exit(1)
            _run(here, progress, minutes * 60, pause)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the recording is kept
        failed = error
    differs = _report(recorder, failed)
    if failed is not None:
        raise failed
    sys.exit(DIFFERS if differs else 0)


def _agreed(here: Installation, place: AzureSettings, *, yes: bool, ignore_doctor: bool) -> bool:
    """Show what is wrong, what would be done, what that costs and leaves; then ask."""
    from pipelines.doctor.azure import azure_checks
    from pipelines.smoke.spec import BUDGET_SECONDS, left_behind

    spec = _spec()
    checks = azure_checks(place, here.resources, spec)
    found = examine(checks, DOCTOR_SECONDS)
    wrong = [finding for finding in found if finding.state == "failed"]
    if wrong:
        print_findings(found)
        if not ignore_doctor:
            raise BikecastError(
                f"{len(wrong)} checks of `bikecast doctor` fail. Nothing was started. Mend them "
                "first, or go on by --ignore-doctor."
            )
    plan = make_plan(here.instance, spec, here.resources, budget_seconds=BUDGET_SECONDS)
    print_plan(plan)
    if not is_within_limit(plan):
        raise BikecastError("The run may cost more than BIKECAST_COST_LIMIT. Nothing was started.")
    _say("It will leave behind, with what takes it away:", bold=True)
    for what, command in left_behind(place, here.home.root):
        _say(f"  {what}\n      {command}")
    return yes or typer.confirm("Start this run?", err=True)


def _run(here: Installation, progress: Progress, seconds: float, pause: Pause | None) -> None:
    """Run the chain; where it ends early, stop what it started and say so."""
    from pipelines.smoke.chain import Chain

    chain = Chain(here, progress, seconds, pause or time.sleep)
    with _hang_ups_as_interrupts():
        try:
            with progress:
                told = chain.run()
        except BaseException:
            _stop(chain)
            raise
    rows, way = told.get("dagster/row_count"), told.get("scored_by")
    _say(f"{rows} rows are predicted, scored by {way}: {told.get('dagster/table_name')}")


def _stop(chain: Chain) -> None:
    """Stop what was started; a terminal that is gone is no reason to leave the pool online."""
    _say("The smoke run ends early; what it started is being stopped.", bold=True)
    try:
        with Progress(_spec()) as chain.watcher:
            for line in chain.stop():
                LOGGER.warning(line)
                _say(f"  {line}")
        _say("Run it again to go on: what is done is not done again.")
    except KeyboardInterrupt:
        _say(
            "Interrupted once more. What is not named above may still run, and the SQL pool may be "
            "online: run it again, or `az synapse sql pool pause`.",
            bold=True,
        )


@contextmanager
def _hang_ups_as_interrupts() -> Iterator[None]:
    """SIGTERM and a closed terminal end the run as Ctrl-C does."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    before = {number: signal.signal(number, interrupt) for number in _HANG_UPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(recorder: Recorder, failed: BaseException | None) -> bool:
    """Compare, complete the recording and print; True where the contract differs."""
    from pipelines.smoke.contract import compared, read_answers
    from pipelines.smoke.guesses import learned

    reports = compared(recorder.exchanges, call_table(), read_answers())
    facts = learned(recorder.exchanges, recorder.statements)
    folder = recorder.close(
        {
            "outcome": "completed" if failed is None else type(failed).__name__,
            "learned": facts,
            "calls": [asdict(report) for report in reports],
        }
    )
    _print(reports, facts)
    out = stdout_console()
    out.print(f"Recorded, redacted, to read before you share it: {folder}", soft_wrap=True)
    out.print("How to send it in, and to clean up: docs/azure.md, Smoke run", highlight=False)
    return any(report.problems for report in reports)


def _print(reports: Sequence[KindReport], facts: dict[str, str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Calls, beside docs/azure.md", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("call", "api-version", "times", "status", "was", "now"):
        table.add_column(name, overflow="fold")
    for report in reports:
        now = Text(report.verdict, style=_COLOURS.get(report.verdict, ""))
        for problem in report.problems:
            now.append(f"\n{problem}", style="red")
        for note in report.notes:
            now.append(f"\n{textwrap.shorten(note, NOTE_LENGTH)}", style="dim")
        statuses = ", ".join(str(status or "none") for status in report.statuses)
        call = Text(f"{report.kind.method} {report.kind.address}")
        version = Text(report.kind.api_version)
        table.add_row(call, version, str(report.calls), statuses, report.sure, now)
    out = stdout_console()
    out.print(table)
    for what, found in facts.items():
        out.print(f"{what}: {found}", highlight=False, markup=False, soft_wrap=True)
    fine = sum(not report.problems and report.verdict != "refused" for report in reports)
    by_level = ", ".join(
        f"{sum(r.sure == level and not r.problems for r in reports)} {level}"
        for level in dict.fromkeys(r.sure for r in reports)
    )
    wrong = [report for report in reports if report.problems]
    out.print(
        f"{fine} of {len(reports)} kinds of calls are as the table says ({by_level}); "
        f"{len(wrong)} are not.",
        style="bold red" if wrong else "bold green",
        highlight=False,
    )


def _spec() -> Any:
    from pipelines.smoke.spec import SMOKE

    return SMOKE


def _say(text: str, *, bold: bool = False) -> None:
    style = "bold" if bold else None
    with suppress(OSError, ValueError):  # nobody may be there to read it
        stderr_console().print(text, style=style, highlight=False, markup=False, soft_wrap=True)
