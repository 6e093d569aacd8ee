"""`bikecast link`: links between the Synapse and the Azure ML workspace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bikecast.core.errors import BikecastError
from pipelines.cli.console import stderr_console, stdout_console
from pipelines.cli.values import print_json

if TYPE_CHECKING:
    from pipelines.settings import AzureSettings
    from resources.workspace.port import WorkspaceLinks

link_app = typer.Typer(
    name="link",
    no_args_is_help=True,
    help="Link the Synapse and the Azure ML workspace, and attach the Spark pool.\n\n"
    "Every command may be repeated: it takes what is there.",
)


class SdkName(StrEnum):
    """Which SDK attaches."""

    v2 = "v2"
    v1 = "v1"


_Remove = Annotated[bool, typer.Option("--remove", help="Remove the link.")]
_SdkOption = Annotated[
    SdkName,
    typer.Option(help="v1 goes through the linked service; Microsoft's support of it has ended."),
]


@link_app.command("list")
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
    found: dict[str, list[dict[str, Any]] | str] = {}
    for title, read in parts.items():
        try:
            found[title] = [asdict(each) for each in read()]
        except BikecastError as error:
            found[title] = str(error)
    if as_json:
        print_json(found)
    for title, rows in () if as_json else found.items():
        _print(title, rows)
    if any(isinstance(rows, str) for rows in found.values()):
        sys.exit(1)


@link_app.command()
def azureml(remove: _Remove = False) -> None:
    """Link Azure ML in the Synapse workspace: the linked service `AzureML` of the lab."""
    links = _links()
    if remove:
        _removed(links.unlink_azureml(), "the linked service AzureML")
    else:
        _print("Linked in Synapse", [asdict(links.link_azureml())])


@link_app.command()
def synapse(remove: _Remove = False) -> None:
    """Link Synapse in the Azure ML workspace (SDK v1), or take the link that is there."""
    links = _links()
    if remove:
        _removed(links.unlink_synapse(), "the linked service of Synapse")
    else:
        _print("Linked in Azure ML", [asdict(links.link_synapse())])
        _say("Its identity needs a role: bikecast roles apply")


@link_app.command()
def attach(sdk: _SdkOption = SdkName.v2) -> None:
    """Attach the Spark pool as compute of the Azure ML workspace."""
    _print("Attached to Azure ML", [asdict(_links().attach_pool(sdk.value))])
    if sdk is SdkName.v2:
        _say("Its identity needs a role: bikecast roles apply")


@link_app.command()
def detach(sdk: _SdkOption = SdkName.v2) -> None:
    """Detach the Spark pool; the pool itself stays."""
    _removed(_links().detach_pool(sdk.value), "the attached Spark pool")


def azure_settings() -> AzureSettings:
    """The azure settings. Raises InvalidInput in another environment or where they are wrong."""
    from bikecast.core.errors import InvalidInput
    from pipelines.settings import load_azure_settings, load_settings

    if load_settings().env != "azure":
        raise InvalidInput(
            "This command belongs to the azure environment, but BIKECAST_ENV is local; "
            "nothing was contacted. Set BIKECAST_ENV=azure and the settings of docs/azure.md."
        )
    return load_azure_settings()


def _links() -> WorkspaceLinks:
    from pipelines.environments import workspace_links_for

    return workspace_links_for(azure_settings())


def _print(title: str, rows: Sequence[dict[str, Any]] | str) -> None:
    out = stdout_console()
    out.print(title, style="bold")
    if isinstance(rows, str):
        out.print(f"  {rows}", style="red", highlight=False, markup=False, soft_wrap=True)
        return
    for row in rows or [{"none": ""}]:
        for name, value in row.items():
            line = f"  {name:<14} {value}".rstrip()
            out.print(line, highlight=False, markup=False, soft_wrap=True)


def _removed(done: bool, what: str) -> None:
    _say(f"Removed {what}." if done else f"There was nothing to remove: {what}.")


def _say(text: str) -> None:
    stderr_console().print(text, highlight=False, markup=False)
