"""`bikecast link`: links between the Synapse and the Azure ML workspace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from bikecast.core.errors import BikecastError
from pipelines.cli.output import print_json, say, show
from resources.workspace.port import Sdk, WorkspaceLinks

link = typer.Typer(
    no_args_is_help=True,
    help="Link the Synapse and the Azure ML workspace, and attach the Spark pool.\n\n"
    "Every command may be repeated: it takes what is there.",
)


_Remove = Annotated[bool, typer.Option("--remove", help="Remove the link.")]
_SdkOption = Annotated[
    Sdk,
    typer.Option(help="v1 goes through the linked service; Microsoft's support of it has ended."),
]


@link.command("list")
def list_links(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show all links, the attached Spark pools, and their identities."""
    links = _links()
    parts: dict[str, Callable[[], Sequence[Any]]] = {
        "Linked services in Synapse": lambda: list(filter(None, [links.azureml_link()])),
        "Linked services in Azure ML": links.synapse_links,
        "Spark pools attached to Azure ML": links.attached_pools,
    }
    rows_by_title: dict[str, list[dict[str, Any]] | str] = {}
    for title, read in parts.items():
        try:
            rows_by_title[title] = [asdict(each) for each in read()]
        except BikecastError as error:
            rows_by_title[title] = str(error)
    if as_json:
        print_json(rows_by_title)
    for title, rows in () if as_json else rows_by_title.items():
        _print(title, rows)
    if any(isinstance(rows, str) for rows in rows_by_title.values()):
        sys.exit(1)


@link.command()
def azureml(remove: _Remove = False) -> None:
    """Link Azure ML in the Synapse workspace: the linked service `AzureML` of the lab."""
    links = _links()
    if remove:
        _removed(links.unlink_azureml(), "the linked service AzureML")
    else:
        _print("Linked in Synapse", [asdict(links.link_azureml())])
        problem = links.azureml_link_problem()
        say(f"The connection fails: {problem}" if problem else "The connection works.")


@link.command()
def synapse(remove: _Remove = False) -> None:
    """Link Synapse in the Azure ML workspace (SDK v1), or take the link that is there."""
    links = _links()
    if remove:
        _removed(links.unlink_synapse(), "the linked service of Synapse")
    else:
        _print("Linked in Azure ML", [asdict(links.link_synapse())])
        say("Its identity needs a role: bikecast roles apply")


@link.command()
def attach(sdk: _SdkOption = "v2") -> None:
    """Attach the Spark pool as compute of the Azure ML workspace."""
    _print("Attached to Azure ML", [asdict(_links().attach_pool(sdk))])
    if sdk == "v2":
        say("Its identity needs a role: bikecast roles apply")


@link.command()
def detach(sdk: _SdkOption = "v2") -> None:
    """Detach the Spark pool; the pool itself stays."""
    _removed(_links().detach_pool(sdk), "the attached Spark pool")


def _links() -> WorkspaceLinks:
    from pipelines.environments import workspace_links_for
    from pipelines.settings import load_settings

    return workspace_links_for(load_settings().azure)


def _print(title: str, rows: Sequence[dict[str, Any]] | str) -> None:
    show(title, style="bold")
    if isinstance(rows, str):
        show(f"  {rows}", style="red")
        return
    for row in rows or [{"none": ""}]:
        for name, value in row.items():
            show(f"  {name:<14} {value}".rstrip())


def _removed(done: bool, what: str) -> None:
    say(f"Removed {what}." if done else f"There was nothing to remove: {what}.")
