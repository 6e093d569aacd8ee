"""Azure RBAC: role definitions and role assignments at any scope."""

from __future__ import annotations

import re
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, checked, route

ARM = r"management\.azure\.com"
PROVIDER = r"(?P<scope>/subscriptions/.+)/providers/Microsoft\.Authorization"
VERSION = "2022-04-01"
ROLES = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "AzureML Data Scientist": "f6c7c914-8db3-469d-8ca1-694a8f32e121",
}
BODY = {"properties": {"roleDefinitionId": str, "principalId": str, "principalType": str}}


class Authorization:
    """Assignments by name; `refuses` makes the caller somebody who may not assign."""

    def __init__(self, clock: Clock) -> None:
        self.assignments: dict[str, dict[str, Any]] = {}
        self.refuses = False
        self._clock = clock

    @route("GET", ARM, PROVIDER + r"/roleDefinitions", VERSION)
    def definitions(self, request: Request) -> Response:
        wanted = re.fullmatch(r"roleName eq '(.+)'", request.query.get("$filter", ""))
        found = [
            {
                "id": f"{request.match['scope']}/providers/Microsoft.Authorization"
                f"/roleDefinitions/{number}",
                "name": number,
                "type": "Microsoft.Authorization/roleDefinitions",
                "properties": {"roleName": name, "type": "BuiltInRole", "assignableScopes": ["/"]},
            }
            for name, number in ROLES.items()
            if wanted is None or wanted[1] == name
        ]
        return answer({"value": found})

    @route("GET", ARM, PROVIDER + r"/roleAssignments", VERSION)
    def list(self, request: Request) -> Response:
        wanted = re.fullmatch(r"assignedTo\('(.+)'\)", request.query.get("$filter", ""))
        assert wanted, request.query
        scope = request.match["scope"].lower()
        found = [
            entry
            for entry in self.assignments.values()
            if entry["properties"]["principalId"] == wanted[1]
            and (
                scope.startswith(entry["properties"]["scope"].lower())
                or entry["properties"]["scope"].lower().startswith(scope)
            )
        ]
        return answer({"value": found})

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
        self.assignments[name] = {
            "id": request.path,
            "name": name,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {**asked, "scope": scope, "createdOn": self._clock.text()},
        }
        return answer(self.assignments[name], 201)

    def grant(self, role: str, principal: str, scope: str) -> None:
        """Put an assignment from within the cloud."""
        name = f"granted-{len(self.assignments)}"
        self.assignments[name] = {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "name": name,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {
                "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/"
                + ROLES[role],
                "principalId": principal,
                "principalType": "ServicePrincipal",
                "scope": scope,
            },
        }
