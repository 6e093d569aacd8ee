"""The template of deploy/azure: validated, shown by what-if, and deployed with its progress."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bikecast.core.errors import BikecastError, InvalidInput
from resources.provisioning import clients
from resources.provisioning.clients import resource_client
from resources.provisioning.names import TAG, Names
from resources.provisioning.refusals import Fault, arm_errors, faults_of
from resources.workspace.principals import Principal

TEMPLATE = Path(__file__).resolve().parents[2] / "deploy" / "azure" / "main.json"
#: The deployment's name: a repetition takes its place in the group's history.
DEPLOYMENT = "bikecast"
#: Called with the type and name of a resource and its new state.
Report = Callable[[str, str], None]


@dataclass(frozen=True)
class Change:
    """What Azure would do to one resource: Create, Modify, NoChange, Ignore ..."""

    kind: str
    resource: str
    paths: tuple[str, ...] = ()
    """What changes inside; without values, which may be secret."""


def read_template() -> dict[str, Any]:
    """The template; raises InvalidInput where it is not there."""
    try:
        template: dict[str, Any] = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"cannot read {TEMPLATE}: {error.strerror or error}. Nothing was changed. "
            "It is part of the checkout: run this from there."
        ) from error
    return template


def vault_is_there(names: Names) -> bool:
    """Whether the group, which has to be there, has our vault."""
    resources = resource_client(names.subscription_id).resources
    with arm_errors(f"cannot list the resources of {names.group}", "Nothing was changed."):
        listed = list(resources.list_by_resource_group(names.group))
    vault = ("microsoft.keyvault/vaults", names.vault)
    return any((str(each.type).lower(), each.name) == vault for each in listed)


def parameters_of(
    names: Names, administrator: Principal, address: str, *, make_vault: bool = True
) -> dict[str, Any]:
    """The template's parameters. The SQL password is random and kept nowhere."""
    values = {
        "makeVault": make_vault,
        "suffix": names.suffix,
        "location": names.region,
        "administratorId": administrator.id,
        "administratorType": administrator.kind,
        "clientAddress": address,
        "sqlPassword": f"{secrets.token_urlsafe(32)}aA1!",
    }
    return {name: {"value": value} for name, value in values.items()}


def find_group(subscription_id: str, name: str) -> Any | None:
    """The resource group, or None."""
    from azure.core.exceptions import ResourceNotFoundError

    with arm_errors(f"cannot look for the group {name}", "Nothing was changed."):
        try:
            return resource_client(subscription_id).resource_groups.get(name)
        except ResourceNotFoundError:
            return None


def our_groups(subscription_id: str) -> list[Any]:
    """The groups of this subscription that have our tag."""
    with arm_errors("cannot list the resource groups", "Nothing was changed."):
        return list(
            resource_client(subscription_id).resource_groups.list(filter=f"tagName eq '{TAG}'")
        )


def make_group(names: Names) -> None:
    """Make the group with our tag."""
    group: Any = {"location": names.region, "tags": {TAG: names.suffix}}
    with arm_errors(f"cannot make the group {names.group}", "Nothing was changed."):
        resource_client(names.subscription_id).resource_groups.create_or_update(names.group, group)


def validate(names: Names, parameters: Mapping[str, Any]) -> None:
    """Let Azure check template, rights, names, quota and regions; raises BikecastError."""
    deployments = resource_client(names.subscription_id).deployments
    unchanged = "No resource was made."
    with arm_errors("Azure refuses the template", unchanged):
        result = deployments.begin_validate(
            names.group, DEPLOYMENT, _body(parameters), polling_interval=clients.POLL_SECONDS
        ).result()
    faults = faults_of(result.error)
    if faults:
        told = "\n  ".join(str(fault) for fault in faults)
        raise BikecastError(f"Azure refuses the template:\n  {told}\n{unchanged}")


def what_if(names: Names, parameters: Mapping[str, Any]) -> list[Change]:
    """What a deployment would change, by Azure's own forecast; the group has to be there."""
    deployments = resource_client(names.subscription_id).deployments
    with arm_errors("Azure cannot say what would change", "Nothing was changed."):
        result = deployments.begin_what_if(
            names.group, DEPLOYMENT, _body(parameters), polling_interval=clients.POLL_SECONDS
        ).result()
    return [
        Change(
            str(getattr(each.change_type, "value", each.change_type)),
            short_id(str(each.resource_id)),
            tuple(str(one.path) for one in each.delta or ()),
        )
        for each in result.changes or ()
    ]


def deploy(names: Names, parameters: Mapping[str, Any], report: Report) -> dict[str, str]:
    """Deploy, and return the outputs: settings by their variables.

    `report` gets each resource whose state has changed. Raises BikecastError with each resource
    that failed; what was made stays, and a repetition goes on from there.
    """
    from azure.core.exceptions import AzureError

    client = resource_client(names.subscription_id)
    unchanged = (
        "What was made stays: run `bikecast azure up` again to go on, or `bikecast azure down`."
    )
    states: dict[str, str] = {}
    with arm_errors("The deployment failed", unchanged):
        poller = client.deployments.begin_create_or_update(
            names.group, DEPLOYMENT, _body(parameters), polling_interval=clients.POLL_SECONDS
        )
        while not poller.done():
            with suppress(AzureError):  # raised again by result()
                poller.wait(clients.POLL_SECONDS)
            _operations(names, states, report)
        faults = _operations(names, states, report)
        if faults:
            # They know the resources, which the error of the deployment does not name.
            told = "\n  ".join(str(fault) for fault in faults)
            raise BikecastError(f"The deployment failed:\n  {told}\n{unchanged}")
        properties = poller.result().properties
        outputs = (properties.outputs if properties is not None else None) or {}
    return {name: str(each["value"]) for name, each in outputs.items()}


def short_id(resource_id: str) -> str:
    """Type and name of a resource, without subscription and group."""
    return resource_id.rpartition("/providers/")[2]


def _operations(names: Names, states: dict[str, str], report: Report) -> list[Fault]:
    """Report the resources whose state is new; the faults of those that failed."""
    faults = []
    listed = resource_client(names.subscription_id).deployment_operations.list(
        names.group, DEPLOYMENT
    )
    for each in listed:
        if each.properties is None or each.properties.target_resource is None:
            continue
        resource = short_id(str(each.properties.target_resource.id))
        state = str(each.properties.provisioning_state)
        if states.get(resource) != state:
            report(resource, state)
        states[resource] = state
        if state == "Failed":
            message = each.properties.status_message
            inner = faults_of(message.error) if message is not None else []
            faults += [
                Fault(fault.code, fault.message, resource)
                for fault in inner or [Fault("Failed", "Azure gives no reason")]
            ]
    return faults


def _body(parameters: Mapping[str, Any]) -> Any:
    """A deployment as the client takes it."""
    properties = {
        "mode": "Incremental",
        "template": read_template(),
        "parameters": dict(parameters),
    }
    return {"properties": properties}
