"""Azure RBAC: is a role there, and giving it, by azure-mgmt-authorization."""

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
    from azure.mgmt.authorization import AuthorizationManagementClient

#: Built-in roles that include another one.
INCLUDED_IN = {
    "Contributor": ("Owner",),
    "Reader": ("Contributor", "Owner"),
    "AzureML Data Scientist": ("Contributor", "Owner"),
    "Storage Blob Data Contributor": ("Storage Blob Data Owner",),
}


def effective_role(subscription_id: str, role: str, principal: Principal, scope: str) -> str:
    """The role by which the principal may do it at a scope or above; empty where none does.

    Roles through groups count; custom roles do not. Raises BikecastError where Azure refuses.
    """
    client = _client(subscription_id)
    accepted = (role, *INCLUDED_IN.get(role, ()))
    with azure_failures("cannot read role assignments"):
        names = {_definition(subscription_id, name).lower(): name for name in accepted}
        assignments = client.role_assignments.list_for_scope(
            scope, filter=f"assignedTo('{principal.id}')"
        )
        here = [
            names.get(str(each.role_definition_id).rpartition("/")[2].lower(), "")
            for each in assignments
            if _contains(str(each.scope), scope)
        ]
    return next((name for name in accepted if name in here), "")


def assign(subscription_id: str, role: str, principal: Principal, scope: str) -> None:
    """Give a role, under a name that follows from what is given: a repetition changes nothing.

    Raises BikecastError where Azure refuses.
    """
    from azure.core.exceptions import ResourceExistsError
    from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

    definition = _definition(subscription_id, role)
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}/{definition}/{principal.id}")
    roles = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
    parameters = RoleAssignmentCreateParameters(
        role_definition_id=f"{roles}/{definition}",
        principal_id=principal.id,
        # Without it Azure looks the principal up, and may not know a new one yet.
        principal_type=principal.kind,
    )
    with azure_failures(f"cannot give the role {role}"), suppress(ResourceExistsError):
        _client(subscription_id).role_assignments.create(scope, str(name), parameters)


def _contains(above: str, scope: str) -> bool:
    """Whether an assignment at `above` holds at `scope`."""
    above, scope = above.rstrip("/").lower(), scope.lower()
    return scope == above or scope.startswith(above + "/")


@cache
def _client(subscription_id: str) -> AuthorizationManagementClient:
    from azure.mgmt.authorization import AuthorizationManagementClient

    return AuthorizationManagementClient(azure_credential(), subscription_id, **client_options())


@cache
def _definition(subscription_id: str, role: str) -> str:
    """The id of a built-in role, a GUID. Raises BikecastError where Azure has no such role."""
    with azure_failures(f"cannot look up the role {role}"):
        definitions = list(
            _client(subscription_id).role_definitions.list(
                f"/subscriptions/{subscription_id}", filter=f"roleName eq '{role}'"
            )
        )
    if not definitions:
        raise BikecastError(f"Azure has no role {role}")
    return str(definitions[0].name)
