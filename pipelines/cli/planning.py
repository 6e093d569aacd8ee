"""The commands before a run, with their help: plan, doctor, smoke, roles and link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.link import link_app
from pipelines.cli.roles import roles_app


def add_planning_commands(app: typer.Typer) -> None:
    """Add the commands of this module and the groups `link` and `roles`."""
    app.command()(plan)
    app.command()(doctor)
    app.command()(smoke)
    app.add_typer(link_app)
    app.add_typer(roles_app)


def plan(
    csv: Annotated[str | None, typer.Option(help="As for `bikecast run`.")] = None,
    forecast: Annotated[str | None, typer.Option(help="As for `bikecast run`.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=1, max=86_400, help="As for `bikecast run`.")
    ] = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="As for `bikecast run`.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a run would do and cost in the current state; nothing is started.

    Exit code 1 where it may cost more than BIKECAST_COST_LIMIT: such a run is refused.
    """
    from pipelines.cli.plan import plan_command

    plan_command(csv=csv, forecast=forecast, budget=budget, retrain=retrain, as_json=as_json)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds a check may take.")] = 60.0,
) -> None:
    """Check this installation: machine, settings and, in azure, identity, services and roles.

    Each problem is shown with the command or setting that mends it; exit code 1 where one fails.
    """
    from pipelines.cli.doctor import doctor_command

    doctor_command(as_json=as_json, seconds=timeout)


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
    from pipelines.cli.smoke import smoke_command

    smoke_command(azure=azure, yes=yes, output=output, minutes=limit, ignore_doctor=ignore_doctor)
