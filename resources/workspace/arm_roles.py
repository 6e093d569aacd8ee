"""Azure RBAC: is a role there, and giving it, by azure-mgmt-authorization."""

from __future__ import annotations

import uuid
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from resources.azure.credentials import azure_credential, client_options
from resources.azure.refusals import azure_failures
from resources.workspace.principals import Holding, Principal

if TYPE_CHECKING:
    from azure.mgmt.authorization import AuthorizationManagementClient

#: The ids of Azure's built-in roles, the same in every tenant; names may change:
#: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "AzureML Data Scientist": "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
}
#: Built-in roles that include another one.
INCLUDED_IN = {
    "Contributor": ("Owner",),
    "Reader": ("Contributor", "Owner"),
    "AzureML Data Scientist": ("Contributor", "Owner"),
    "Storage Blob Data Contributor": ("Storage Blob Data Owner",),
}
#: Built-in roles that may give roles, beside Owner.
ROLE_GIVERS = ("User Access Administrator", "Role Based Access Control Administrator")
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


def holding(subscription_id: str, role: str, principal: Principal, scope: str) -> Holding | None:
    """The role by which the principal may do it at a scope, or None.

    Roles of a scope above count, management groups included, and so do roles of the principal's
    groups; custom roles do not. Raises BikecastError where Azure refuses.
    """
    accepted = (role, *INCLUDED_IN.get(role, ()))
    names = {ROLES[name]: name for name in accepted}
    holdings: dict[str, Holding] = {}
    with azure_failures("cannot read role assignments"):
        # assignedTo follows groups; what Azure lists is at the scope, above it, or below it.
        assignments = _client(subscription_id).role_assignments.list_for_scope(
            scope, filter=f"assignedTo('{principal.id}')"
        )
        for each in assignments:
            name = names.get(str(each.role_definition_id).rpartition("/")[2].lower(), "")
            if name and _holds_at(str(each.scope), scope):
                owner = str(each.principal_id)
                group = "" if owner.lower() == principal.id.lower() else owner
                holdings.setdefault(name, Holding(name, str(each.scope), group))
    return next((holdings[name] for name in accepted if name in holdings), None)


def assign(subscription_id: str, role: str, principal: Principal, scope: str) -> None:
    """Give a role, under a name that follows from what is given: a repetition changes nothing.

    Raises BikecastError where Azure refuses.
    """
    from azure.core.exceptions import ResourceExistsError
    from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope.lower()}/{ROLES[role]}/{principal.id}")
    roles = f"/subscriptions/{subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
    parameters = RoleAssignmentCreateParameters(
        role_definition_id=f"{roles}/{ROLES[role]}",
        principal_id=principal.id,
        # Without it Azure looks the principal up, and may not know a new one yet.
        principal_type=principal.kind,
    )
    with azure_failures(f"cannot give the role {role}"), suppress(ResourceExistsError):
        _client(subscription_id).role_assignments.create(scope, str(name), parameters)


def _holds_at(given: str, scope: str) -> bool:
    """Whether an assignment of this scope holds at another one, for which Azure listed it."""
    given, scope = given.rstrip("/").lower(), scope.lower()
    return given.startswith(_MANAGEMENT_GROUP) or scope == given or scope.startswith(given + "/")


@cache
def _client(subscription_id: str) -> AuthorizationManagementClient:
    from azure.mgmt.authorization import AuthorizationManagementClient

    return AuthorizationManagementClient(azure_credential(), subscription_id, **client_options())
