"""Synapse RBAC: is a role there, and giving it, by azure-synapse-accesscontrol."""

from __future__ import annotations

import uuid
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from bikecast.core.errors import BikecastError
from resources.azure.credentials import azure_credential, client_options
from resources.azure.refusals import azure_failures
from resources.workspace.principals import Principal

if TYPE_CHECKING:
    from azure.synapse.accesscontrol import AccessControlClient

#: Built-in roles that include another one.
INCLUDED_IN = {
    "Synapse Compute Operator": ("Synapse Contributor", "Synapse Administrator"),
    "Synapse Apache Spark Administrator": ("Synapse Administrator",),
}


def effective_role(endpoint: str, role: str, principal: Principal, scope: str) -> str:
    """The role by which the principal may do it at a scope or above; empty where none does.

    Raises BikecastError where Synapse refuses.
    """
    accepted = (role, *INCLUDED_IN.get(role, ()))
    with azure_failures("cannot read Synapse roles"):
        names = {number: name for name, number in _definitions(endpoint).items()}
        assignments = _client(endpoint).role_assignments.list_role_assignments(
            principal_id=principal.id
        )
    here = [
        names.get(str(each.role_definition_id).lower(), "")
        for each in assignments.value or ()
        if f"{scope}/".lower().startswith(f"{each.scope}/".lower())
    ]
    return next((name for name in accepted if name in here), "")


def assign(endpoint: str, role: str, principal: Principal, scope: str) -> None:
    """Give a role, under a name that follows from what is given.

    Raises BikecastError where Synapse refuses.
    """
    from azure.core.exceptions import ResourceExistsError

    with azure_failures(f"cannot give the role {role}"), suppress(ResourceExistsError):
        definition = _definitions(endpoint).get(role)
        if definition is None:
            raise BikecastError(f"Synapse has no role {role}")
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}/{definition}/{principal.id}")
        _client(endpoint).role_assignments.create_role_assignment(
            str(name),
            role_id=definition,
            principal_id=principal.id,
            scope=scope,
            principal_type=principal.kind,
        )


@cache
def _client(endpoint: str) -> AccessControlClient:
    from azure.synapse.accesscontrol import AccessControlClient

    return AccessControlClient(azure_credential(), endpoint, **client_options())


@cache
def _definitions(endpoint: str) -> dict[str, str]:
    """The ids of Synapse's roles by name."""
    definitions = _client(endpoint).role_definitions.list_role_definitions(is_built_in=True)
    return {str(each.name): str(each.id).lower() for each in definitions}
