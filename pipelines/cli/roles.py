"""`bikecast roles`: the roles that Azure needs, checked and given."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import BikecastError
from pipelines.cli.output import Wide, print_json, print_table, say, show

if TYPE_CHECKING:
    from resources.workspace.azure_place import AzurePlace
    from resources.workspace.roles import RoleState

roles = typer.Typer(
    no_args_is_help=True,
    help="Check the roles that the azure environment needs, and give the missing ones.",
)

_AsInTheLab = Annotated[
    bool,
    typer.Option(
        "--as-in-the-lab",
        help="Also what only the lab gives: Azure ML as Contributor of the data lake account.",
    ),
]


@roles.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    as_in_the_lab: _AsInTheLab = False,
    wide: Wide = False,
) -> None:
    """Show each role: present, missing or unknown; exit code 1 unless all are present."""
    from resources.workspace.roles import missing

    _, states = _checked(as_in_the_lab)
    if as_json:
        print_json([as_object(state) for state in states])
    else:
        _print(states, wide=wide)
        _print_commands(missing(states))
    if any(state.state in ("missing", "unknown") for state in states):
        sys.exit(1)


@roles.command()
def apply(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_in_the_lab: _AsInTheLab = False,
) -> None:
    """Give the missing roles, after showing and asking.

    Nothing is ever taken away. Repeating it changes nothing.
    """
    from resources.workspace.roles import grant, missing

    place, states = _checked(as_in_the_lab)
    _print(states)
    wanted = missing(states)
    if not wanted:
        say("No role is missing that can be given here.")
        sys.exit(1 if any(state.state == "unknown" for state in states) else 0)
    say(f"This will give {len(wanted)} roles, as these commands would:")
    _print_commands(wanted)
    if not yes and not typer.confirm("Give these roles?", err=True):
        say("Nothing was changed.")
        sys.exit(1)
    failures = 0
    for state in wanted:
        title = f"{state.need.who}: {state.need.role}"
        try:
            grant(place, state)
            say(f"{title}: given.")
        except BikecastError as error:
            failures += 1
            say(f"{title}: {error}")
    say("Azure may take some minutes until new roles work everywhere.")
    sys.exit(1 if failures else 0)


def as_object(state: RoleState) -> dict[str, str]:
    """One line of the table for JSON."""
    need = state.need
    return {
        "who": need.who,
        "principal": state.principal.id,
        "role": need.role,
        "scope": need.scope,
        "why": need.why,
        "state": state.state,
        "detail": state.detail,
        "command": state.command,
    }


def _checked(as_in_the_lab: bool) -> tuple[AzurePlace, list[RoleState]]:
    from pipelines.environments import place_of
    from pipelines.settings import load_settings
    from resources.workspace.principals import find_principals
    from resources.workspace.roles import check

    place = place_of(load_settings().azure)
    return place, check(place, find_principals(place), as_in_the_lab=as_in_the_lab)


def _print(states: Sequence[RoleState], *, wide: bool = False) -> None:
    rows = [
        [state.need.who, state.need.role, _short(state.need.scope), state.state, state.detail]
        for state in states
    ]
    print_table(["who", "role", "where", "state", ""], rows, "Roles", wide=wide)


def _print_commands(states: Sequence[RoleState]) -> None:
    for state in states:
        show(state.command)


def _short(scope: str) -> str:
    """The kind and name of the resource at the end of a scope."""
    return "/".join(scope.split("/")[-2:])
