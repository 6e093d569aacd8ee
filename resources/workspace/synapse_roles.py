"""Synapse RBAC: is a role there, and giving it, by azure-synapse-accesscontrol."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from resources.azure.credentials import azure_credential, client_options
from resources.azure.refusals import azure_failures
from resources.workspace.principals import Holding, Principal

if TYPE_CHECKING:
    from azure.synapse.accesscontrol import AccessControlClient

#: The ids of Synapse's built-in roles, the same in every workspace; Microsoft's pages and the
#: service name some of them differently.
ROLES = {
    "Synapse Administrator": "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78",
    "Synapse Contributor": "7572bffe-f453-4b66-912a-46cc5ef38fda",
    "Synapse Compute Operator": "e3844cc7-4670-42cb-9349-9bdac1ee7881",
    "Apache Spark Administrator": "c3a6d2f1-a26f-4810-9b0f-591308d5cbf1",
}
#: Built-in roles that include another one.
INCLUDED_IN = {
    "Synapse Compute Operator": (
        "Apache Spark Administrator",
        "Synapse Contributor",
        "Synapse Administrator",
    ),
    "Apache Spark Administrator": ("Synapse Administrator",),
}


def holding(endpoint: str, role: str, principal: Principal, scope: str) -> Holding | None:
    """The role by which the principal may do it at a scope or above, or None.

    Synapse does not say who is in a group: where only groups have the role, the first of them is
    the holding's `group`. Raises BikecastError where Synapse refuses.
    """
    accepted = (role, *INCLUDED_IN.get(role, ()))
    names = {ROLES[name]: name for name in accepted}
    own: dict[str, Holding] = {}
    of_groups = []
    with azure_failures("cannot read Synapse roles"):
        for each in _assignments(endpoint, scope):
            name = names.get(str(each.role_definition_id).lower(), "")
            if not name or not f"{scope}/".lower().startswith(f"{each.scope}/".lower()):
                continue
            if str(each.principal_id).lower() == principal.id.lower():
                own.setdefault(name, Holding(name, str(each.scope)))
            elif str(each.principal_type) == "Group":
                of_groups.append(Holding(name, str(each.scope), str(each.principal_id)))
    found = [own[name] for name in accepted if name in own] + of_groups
    return found[0] if found else None


def assign(endpoint: str, role: str, principal: Principal, scope: str) -> None:
    """Give a role, under a name that follows from what is given.

    Raises BikecastError where Synapse refuses.
    """
    from azure.core.exceptions import ResourceExistsError

    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}/{ROLES[role]}/{principal.id}")
    with azure_failures(f"cannot give the role {role}"), suppress(ResourceExistsError):
        _client(endpoint).role_assignments.create_role_assignment(
            str(name),
            role_id=ROLES[role],
            principal_id=principal.id,
            scope=scope,
            principal_type=principal.kind,
        )


def _assignments(endpoint: str, scope: str) -> Iterator[Any]:
    """What was given at a scope and above it, page by page."""
    token: str | None = None
    while True:
        # The client gives back what `cls` makes, and its stubs do not say so.
        answer: Any = _client(endpoint).role_assignments.list_role_assignments(
            scope=scope,
            continuation_token_parameter=token,
            cls=lambda _, page, headers: (page, headers["x-ms-continuation"]),
        )
        page, token = answer
        yield from page.value or ()
        if not token:
            return


@cache
def _client(endpoint: str) -> AccessControlClient:
    from azure.synapse.accesscontrol import AccessControlClient

    return AccessControlClient(azure_credential(), endpoint, **client_options())
