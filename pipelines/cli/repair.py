"""`bikecast repair`: what is damaged in the home, and what mends it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bikecast.core.errors import BikecastError
from pipelines.cli.output import say, show


def repair(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is damaged and what would be done.")
    ] = False,
) -> None:
    """Mend a damaged home: what can be made again is, and what is lost is named.

    What is whole is not touched, and what is thrown away is moved to `damaged/` in the home. Stop
    `bikecast ui` and `bikecast sql-server` first.

    Example: `bikecast repair --dry-run`
    """
    from bikecast.core.locks import exclusive
    from pipelines import repair as repairs
    from pipelines.doctor.damage import damage, line
    from pipelines.home import open_home
    from pipelines.in_process.dead_runs import dagster_runs_here
    from pipelines.model_files import load_models
    from pipelines.settings import load_settings

    home = open_home(load_settings())
    if dry_run:
        findings = damage(home)
        for finding in findings:
            show(f"{line(home, finding)}\n  {repairs.PLANS[finding.kind]}")
        show(f"{len(findings)} damaged; nothing was changed." if findings else "All is whole.")
        return
    if dagster_runs_here():
        raise BikecastError(
            f"Dagster works in {home.root}. Nothing was changed; stop `bikecast ui`, then repair."
        )
    count = 0
    specs = [model.spec for model in load_models()]
    waiting = "`bikecast run` uses this home; waiting for it to end"
    with exclusive(home.root / "run.lock", on_wait=lambda: say(waiting)):
        for each in repairs.repair(home, specs):
            count += 1
            show(f"{line(home, each.finding)}\n  {each.done}")
            if each.lost:
                show(f"  lost: {each.lost}")
    if not count:
        show("All is whole; nothing was changed.")
        return
    if left := damage(home):
        say("Still damaged: " + "; ".join(line(home, each) for each in left))
        say("Move the home away and take a backup: bikecast restore FILE")
        sys.exit(1)
    show(f"What was damaged is kept in {home.root / repairs.FOLDER}.")
    say("Next: bikecast run")
