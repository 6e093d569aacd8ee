"""`bikecast azure`: make the azure environment, look at it, pause it, and take it away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.output import rows_table, say, show, stdout_console

if TYPE_CHECKING:
    from pipelines.models import Model
    from pipelines.provisioning.up import Target
    from pipelines.settings import Settings
    from resources.provisioning.deployment import Change
    from resources.provisioning.names import Names

azure = typer.Typer(
    no_args_is_help=True,
    help="Make the azure environment in an empty subscription, pause it, and take it away.\n\n"
    "Every command may be repeated. docs/azure.md has the way from `az login` to predictions.",
)

_Name = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="SUFFIX",
        help="3 to 10 letters and digits behind all names. Default: the installation that is "
        "there, else a new one.",
        show_default=False,
    ),
]
_Region = Annotated[
    str,
    typer.Option(
        "--region",
        help="Azure region of a new installation.  [default: westeurope]",
        show_default=False,
    ),
]


@azure.command()
def up(
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Show what would be made or changed, and end.")
    ] = False,
    name: _Name = "",
    region: _Region = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    address: Annotated[
        str,
        typer.Option(
            help="IPv4 address that may reach Synapse. Default: the one that it sees.",
            show_default=False,
        ),
    ] = "",
    user: Annotated[
        list[str] | None,
        typer.Option(
            help="Entra name of one more user of the SQL pool, such as a managed identity's.",
            show_default=False,
        ),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(help="File that gets the settings.  [default: .env]", show_default=False),
    ] = None,
) -> None:
    """Make everything that the azure environment needs, or what is missing of it.

    Checks providers, region, sizes, quota, names and rights; shows what would be made and what it
    costs, and asks. Then it deploys deploy/azure/main.json, gives roles, links the workspaces,
    uploads the two files, loads the forecast's table, pauses the SQL pool and writes `.env`.
    """
    from pipelines.provisioning.up import ENV_FILE, Wishes, forecast, make, prepare

    settings, model, subscription = _local_settings()
    wishes = Wishes(name, region, address, tuple(user or ()), env_file or ENV_FILE)
    target = prepare(subscription, wishes, say, only_look=what_if)
    _print_changes(forecast(target, wishes))
    _print_costs(target)
    for doubt in target.doubts:
        say(doubt, style="yellow")
    if what_if:
        say("Nothing was made.")
        return
    if not yes and not typer.confirm("Make this?", err=True):
        say("Nothing was made.")
        raise typer.Exit(1)
    make(target, wishes, settings, model, say, lambda part, state: say(f"  {state:<10} {part}"))
    say("Ready. Next: bikecast doctor, bikecast plan, bikecast ui", style="bold green")


@azure.command()
def status(name: _Name = "") -> None:
    """Show what is there, in which state, and what of it costs by the hour."""
    from resources.provisioning.power import meters
    from resources.provisioning.removal import parts_of

    names = _there(name)
    parts = parts_of(names)
    rows = [
        [part.kind, part.name, part.state, "" if part.is_ours else "not made by us"]
        for part in parts
    ]
    title = f"{names.group}, {names.region}"
    stdout_console().print(rows_table(["type", "name", "state", ""], rows, title=title))
    costs = [
        [each.name, each.state, "yes" if each.costs else "no", each.note] for each in meters(names)
    ]
    stdout_console().print(rows_table(["what", "state", "costs now", ""], costs, title="Meters"))


@azure.command()
def pause(name: _Name = "") -> None:
    """Pause what costs by the hour: SQL pool, compute instances, idle Spark sessions.

    What works stays and is named, with exit code 1: a SQL pool that a run uses, a busy session, a
    batch, a cluster that keeps nodes.
    """
    from pipelines.provisioning.steps import pause_pool
    from resources.provisioning.power import end_idle_sessions, meters, stop_instances

    names = _there(name)
    paused = pause_pool(names, say)
    for instance in stop_instances(names):
        say(f"Stopped: {instance}")
    for session in end_idle_sessions(names):
        say(f"Ended: Spark session {session}")
    left = [each for each in meters(names) if each.costs and each.state != "Pausing"]
    for each in left:
        show(f"Still costs: {each.name} ({each.state}, {each.note})")
    if left or not paused:
        raise typer.Exit(1)
    say("Nothing costs by the hour now.")


@azure.command()
def down(name: _Name = "") -> None:
    """Delete an installation and all data in it, after listing it and asking for its name.

    Only a group with our tag, in which is nothing of anybody else. What Azure keeps for a while
    (Azure ML, vault) is purged. `.env` and this machine's files stay.
    """
    from pipelines.provisioning.up import find_names
    from resources.provisioning.removal import left_suffixes, plan_removal, remove

    _, _, configured = _local_settings()
    subscription = _subscription(configured)
    names, there = find_names(subscription, name, "")
    if not there and not name:
        left = left_suffixes(subscription)
        if not left:
            say("There is nothing to delete: no group with our tag, no deleted vault of ours.")
            return
        if len(left) > 1:
            raise InvalidInput(
                f"Deleted vaults are left of several installations: {', '.join(left)}. Nothing "
                "was changed. Say which one: --name"
            )
        names, there = find_names(subscription, left[0], "")
    removal = plan_removal(names)
    if not removal.group_is_there and not removal.vault_is_deleted:
        say(f"There is nothing to delete: no group {names.group}, no deleted vault of ours.")
        return
    if there:
        rows = [[part.kind, part.name] for part in removal.parts]
        title = f"To be deleted for good: {names.group}, with all data, models and predictions"
        stdout_console().print(rows_table(["type", "name"], rows, title=title))
    if removal.vault_is_deleted or there:
        show(f"To be purged: the vault {names.vault}")
    typed = typer.prompt(f"Type {names.group} to delete it", default="", err=True)
    if typed.strip() != names.group:
        say("That is another name. Nothing was deleted.")
        raise typer.Exit(1)
    if plan_removal(names).ids != removal.ids:
        raise InvalidInput(
            f"What is in {names.group} has changed since it was listed. Nothing was deleted. Run "
            "this again, and look at the list."
        )
    remove(removal, say)
    say(f"Deleted: {names.group}.", style="bold green")
    say(
        "Left, at no cost: registered providers; the deleted Log Analytics workspace for 14 days "
        "(Azure purges it); .env, whose names lead nowhere now."
    )


def _local_settings() -> tuple[Settings, Model, str]:
    """Settings that need no azure environment yet, the model, and the subscription if set."""
    from pydantic_settings import BaseSettings, SettingsConfigDict

    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import PROJECT, load_settings

    class Subscription(BaseSettings):
        model_config = SettingsConfigDict(env_file=PROJECT / ".env", extra="ignore")
        azure_subscription_id: str = ""

    settings = load_settings(env="local")
    model = chosen_model(load_models(), settings.model)
    return settings, model, Subscription().azure_subscription_id


def _subscription(configured: str) -> str:
    from resources.provisioning.readiness import sole_subscription

    return configured or sole_subscription()


def _there(name: str) -> Names:
    """The installation of this name, or the only one; raises InvalidInput where there is none."""
    from pipelines.provisioning.up import find_names

    _, _, subscription = _local_settings()
    names, there = find_names(_subscription(subscription), name, "")
    if not there:
        group = f"no group {names.group}" if name else "no group of this subscription"
        raise InvalidInput(
            f"There is {group} with our tag; nothing was changed. `bikecast azure up` makes one."
        )
    return names


def _print_changes(changes: list[Change]) -> None:
    rows = [[each.kind, each.resource, ", ".join(each.paths)] for each in changes]
    stdout_console().print(rows_table(["change", "resource", ""], rows, title="What would change"))


def _print_costs(target: Target) -> None:
    """An hour of work by the price file, and what a month idle is metered by."""
    from pipelines.provisioning.up import CALCULATOR, IDLE, hour_of_work
    from pipelines.settings import load_settings
    from resources.costs.port import total
    from resources.costs.prices import PricedCosts, read_prices

    prices = read_prices(load_settings(env="local").prices)
    costs = PricedCosts(prices)
    items = hour_of_work(costs)
    rows = [[each.name, f"{each.cost:.2f}", each.basis] for each in items]
    title = f"An hour of work, at most, in {prices.currency} (prices of {prices.as_of})"
    stdout_console().print(rows_table(["part", "cost", ""], rows, title=title))
    show(f"Together {total(items):.2f} {prices.currency} an hour; paused, nothing by the hour.")
    show("A month idle costs only what is stored, by its amount:")
    for each in IDLE:
        show(f"  {each}")
    show(f"Prices of these for {target.names.region}: {CALCULATOR}")
