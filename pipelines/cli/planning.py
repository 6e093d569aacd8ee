"""The commands before a run, with their help: plan, doctor, roles and link."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.link import link_app
from pipelines.cli.roles import roles_app


def add_planning_commands(app: typer.Typer) -> None:
    """Add the commands of this module and the groups `link` and `roles`."""
    app.command()(plan)
    app.command()(doctor)
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
