"""Azure RBAC: role assignments at any scope, management groups and groups of people included."""

from __future__ import annotations

import re
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, checked, route

ARM = r"management\.azure\.com"
PROVIDER = r"(?P<scope>/subscriptions/.+)/providers/Microsoft\.Authorization"
VERSION = "2022-04-01"
BODY = {"properties": {"roleDefinitionId": str, "principalId": str, "principalType": str}}


class Authorization:
    """Assignments by name; `refuses` makes the caller somebody who may not assign.

    `management_group` is above all subscriptions; `groups` has the members of groups.
    """

    management_group = "/providers/Microsoft.Management/managementGroups/bikes"

    def __init__(self, clock: Clock) -> None:
        self.assignments: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, set[str]] = {}
        self.refuses = False
        self._clock = clock

    @route("GET", ARM, PROVIDER + r"/roleAssignments", VERSION)
    def list(self, request: Request) -> Response:
        """At a scope, above and below it; assignedTo() follows groups, atScope() is no filter."""
        asked = request.query.get("$filter", "")
        wanted = re.fullmatch(r"assignedTo\('(.+)'\)|atScope\(\)", asked)
        assert wanted, request.query
        scope = request.match["scope"].lower()
        shown = []
        for entry in self.assignments.values():
            owner, given = entry["properties"]["principalId"], entry["properties"]["scope"].lower()
            near = scope.startswith(given) or given.startswith(scope) or given.startswith("/prov")
            if near and wanted[1] in (None, owner, *self.groups.get(owner, ())):
                shown.append(entry)
        return answer({"value": shown})

    @route("PUT", ARM, PROVIDER + r"/roleAssignments/(?P<name>[^/]+)", VERSION)
    def create(self, request: Request) -> Response:
        asked = checked(request.json, BODY)["properties"]
        if self.refuses:
            action = "Microsoft.Authorization/roleAssignments/write"
            return arm_error(
                403, "AuthorizationFailed", f"The client may not perform the action '{action}'."
            )
        name, scope = request.match["name"], request.match["scope"]
        key = asked["roleDefinitionId"].rpartition("/")[2], asked["principalId"], scope
        for other, entry in self.assignments.items():
            told = entry["properties"]
            same = told["roleDefinitionId"].rpartition("/")[2], told["principalId"], told["scope"]
            if same == key and other != name:
                return arm_error(409, "RoleAssignmentExists", "The role assignment already exists.")
        return answer(self._put(name, scope, asked), 201)

    def grant(self, role: str, principal: str, scope: str, kind: str = "ServicePrincipal") -> None:
        """Put an assignment of a built-in role, by its id, from within the cloud."""
        asked = {
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": principal,
            "principalType": kind,
        }
        self._put(f"granted-{len(self.assignments)}", scope, asked)

    def _put(self, name: str, scope: str, asked: dict[str, str]) -> dict[str, Any]:
        now = self._clock.text()
        more = ("condition", "conditionVersion", "createdBy", "delegatedManagedIdentityResourceId")
        self.assignments[name] = {
            "properties": {
                **asked,
                "scope": scope,
                **dict.fromkeys((*more, "description")),
                "createdOn": now,
                "updatedOn": now,
                "updatedBy": "33333333-3333-3333-3333-333333333333",
            },
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "type": "Microsoft.Authorization/roleAssignments",
            "name": name,
        }
        return self.assignments[name]
