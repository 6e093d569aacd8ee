"""`bikecast smoke --azure`: the smallest real run, recorded and checked against the contract."""

from __future__ import annotations

import signal
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.cli.output import say, show, stdout_console

if TYPE_CHECKING:
    from pipelines.cli.progress import Progress
    from pipelines.installation import Installation
    from pipelines.settings import AzureSettings
    from pipelines.smoke.chain import Chain
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


def smoke(
    azure: Annotated[
        bool, typer.Option("--azure", help="Required: yes, in the Azure account of the settings.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the start.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder of the recordings.  [default: smoke/recordings in BIKECAST_HOME]",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        float, typer.Option(min=1, max=600, help="Minutes after which it is stopped.")
    ] = 90.0,
    ignore_doctor: Annotated[
        bool, typer.Option("--ignore-doctor", help="Go on although checks of doctor fail.")
    ] = False,
) -> None:
    """Make the smallest real run in Azure, and record and check what Azure answers.

    150 simulated days go through the data lake, a Spark batch, an AutoML job of two trials, the
    registry and the SQL pool. All of it has names of its own (`smoke_*`, `bikecast-smoke`): your
    data and models stay as they are. First comes what `bikecast doctor` finds and what
    `bikecast plan` estimates; then it asks. It takes about half an hour. Ctrl-C, a failure or the
    limit cancel the job and the batch, and pause the SQL pool again if this run resumed it.

    The answers are recorded without names, ids, tokens and keys, and compared with the table of
    calls in docs/azure.md. Exit code 1: the run failed. 3: it is done, but Azure answers
    otherwise than the table says; the recording then is worth an issue.
    """
    if not azure:
        raise InvalidInput(TEACHES + "Add --azure.")
    from pipelines.cli.progress import Progress
    from pipelines.home import full_disk_explained, open_home
    from pipelines.in_process.sole_run import sole_run
    from pipelines.logs import open_log
    from pipelines.settings import load_settings

    settings = load_settings()
    if settings.env != "azure":
        raise InvalidInput(
            TEACHES + "BIKECAST_ENV is local: set BIKECAST_ENV=azure and the settings of "
            "docs/azure.md, then `bikecast doctor` says what is missing."
        )
    from pipelines.smoke.http import heard_calls
    from pipelines.smoke.installation import open_smoke, recorder_for
    from pipelines.smoke.spec import SMOKE, smoke_settings

    settings = smoke_settings(settings)
    home = open_home(settings)
    open_log(home)
    recorder = recorder_for(settings.azure, output or home.root / "recordings")
    failed: BaseException | None = None
    progress = Progress(SMOKE)
    try:
        with (
            full_disk_explained(home),
            sole_run(home, progress),
            heard_calls(recorder.hear),
            open_smoke(settings, home, recorder) as here,
        ):
            if not _agreed(here, settings.azure, yes=yes, ignore_doctor=ignore_doctor):
                recorder.discard()
                _say("Nothing was started.")
                sys.exit(1)
            _run(here, progress, limit * 60)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the recording is kept
        failed = error
    differs = _report(recorder, failed)
    if failed is not None:
        raise failed
    sys.exit(DIFFERS if differs else 0)


def _agreed(here: Installation, place: AzureSettings, *, yes: bool, ignore_doctor: bool) -> bool:
    """Show what is wrong, what would be done, what that costs and leaves; then ask."""
    from pipelines.cli.doctor import print_diagnoses
    from pipelines.cli.plan import print_plan
    from pipelines.doctor.azure import azure_checks
    from pipelines.doctor.checks import examine
    from pipelines.reports.plan import make_plan
    from pipelines.smoke.spec import BUDGET_SECONDS, SMOKE, left_behind

    diagnoses = examine(azure_checks(place, here.resources, [SMOKE]), DOCTOR_SECONDS)
    wrong = [each for each in diagnoses if each.state == "failed"]
    if wrong:
        print_diagnoses(diagnoses)
        if not ignore_doctor:
            raise BikecastError(
                f"{len(wrong)} checks of `bikecast doctor` fail. Nothing was started. Mend them "
                "first, or go on by --ignore-doctor."
            )
    plan = make_plan(here.instance, SMOKE, here.resources, budget_seconds=BUDGET_SECONDS)
    print_plan(plan)
    if not plan.is_within_limit:
        raise BikecastError("The run may cost more than BIKECAST_COST_LIMIT. Nothing was started.")
    _say("It will leave behind, with what takes it away:", bold=True)
    for what, command in left_behind(place, here.home.root):
        _say(f"  {what}\n      {command}")
    return yes or typer.confirm("Start this run?", err=True)


def _run(here: Installation, progress: Progress, seconds: float) -> None:
    """Run the chain; where it ends early, stop what it started and say so."""
    from pipelines.smoke.chain import Chain

    chain = Chain(here, progress, seconds)
    with _hang_ups_as_interrupts():
        try:
            with progress:
                facts = chain.run()
        except BaseException:
            _stop(chain)
            raise
    rows, way = facts.get("dagster/row_count"), facts.get("scored_by")
    _say(f"{rows} rows are predicted, scored by {way}: {facts.get('dagster/table_name')}")


def _stop(chain: Chain) -> None:
    """Stop what was started; a terminal that is gone is no reason to leave the pool online."""
    from pipelines.cli.progress import Progress
    from pipelines.logs import LOGGER
    from pipelines.smoke.spec import SMOKE

    _say("The smoke run ends early; what it started is being stopped.", bold=True)
    try:
        with Progress(SMOKE) as chain.watcher:
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
    before = {each: signal.signal(each, signal.default_int_handler) for each in _HANG_UPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(recorder: Recorder, failed: BaseException | None) -> bool:
    """Compare, complete the recording and print; True where the contract differs."""
    from pipelines.smoke.calls import call_table
    from pipelines.smoke.contract import compared, learned, read_answers

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
    show(f"Recorded, redacted, to read before you share it: {folder}")
    show("How to send it in, and to clean up: docs/azure.md, Smoke run")
    return any(report.problems for report in reports)


def _print(reports: Sequence[KindReport], facts: Mapping[str, str]) -> None:
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
    stdout_console().print(table)
    for guess, outcome in facts.items():
        show(f"{guess}: {outcome}")
    fine = sum(not report.problems and report.verdict != "refused" for report in reports)
    by_level = ", ".join(
        f"{sum(r.sure == level and not r.problems for r in reports)} {level}"
        for level in dict.fromkeys(r.sure for r in reports)
    )
    wrong = [report for report in reports if report.problems]
    show(
        f"{fine} of {len(reports)} kinds of calls are as the table says ({by_level}); "
        f"{len(wrong)} are not.",
        style="bold red" if wrong else "bold green",
    )


def _say(text: str, *, bold: bool = False) -> None:
    with suppress(OSError, ValueError):  # nobody may be there to read it
        say(text, style="bold" if bold else None)
