"""The Synapse workspace: what ARM says of it, its linked services, and its Synapse RBAC."""

from __future__ import annotations

import uuid
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, checked, route

ARM = r"management\.azure\.com"
DEV = r"[a-z0-9-]+\.dev\.azuresynapse\.net"
SYNAPSE = (
    r"(?P<id>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Synapse"
    r"/workspaces/(?P<workspace>[^/]+))"
)
MANAGEMENT, ARTIFACTS = "2021-03-01", "2020-12-01"
IDENTITY = "66666666-6666-6666-6666-666666666666"
LINK_BODY = {
    "properties": {
        "type": str,
        "typeProperties": {
            "subscriptionId": str,
            "resourceGroupName": str,
            "mlWorkspaceName": str,
            "authentication": str,
        },
        "connectVia": {"type": str, "referenceName": str},
    }
}
ROLE_BODY = {"roleId": str, "principalId": str, "scope": str, "principalType": str}


class Synapse:
    """One workspace; `refuses` makes its data plane answer 403, `drops` lose new links."""

    spark_version = "3.5"

    def __init__(self, clock: Clock) -> None:
        self.links: dict[str, dict[str, Any]] = {}
        self.assignments: dict[str, dict[str, str]] = {}
        self.refuses = False
        self.drops = False
        self._clock = clock

    # Management.

    @route("GET", ARM, SYNAPSE, MANAGEMENT)
    def workspace(self, request: Request) -> Response:
        name = request.match["workspace"]
        return answer(
            {
                "id": request.match["id"],
                "name": name,
                "type": "Microsoft.Synapse/workspaces",
                "location": "westeurope",
                "identity": {"type": "SystemAssigned", "principalId": IDENTITY, "tenantId": "t"},
                "properties": {
                    "provisioningState": "Succeeded",
                    "connectivityEndpoints": {"dev": f"https://{name}.dev.azuresynapse.net"},
                    "defaultDataLakeStorage": {
                        "accountUrl": "https://bikelake.dfs.core.windows.net",
                        "filesystem": "files",
                    },
                },
            }
        )

    @route("GET", ARM, SYNAPSE + r"/bigDataPools/(?P<pool>[^/]+)", MANAGEMENT)
    def spark_pool(self, request: Request) -> Response:
        if request.match["pool"] != "sparkpool":
            return arm_error(404, "ResourceNotFound", "The Spark pool was not found.")
        return answer(
            {
                "id": request.path,
                "name": request.match["pool"],
                "type": "Microsoft.Synapse/workspaces/bigDataPools",
                "location": "westeurope",
                "properties": {
                    "provisioningState": "Succeeded",
                    "sparkVersion": self.spark_version,
                    "nodeCount": 3,
                    "nodeSize": "Small",
                    "nodeSizeFamily": "MemoryOptimized",
                    "autoScale": {"enabled": False},
                    "autoPause": {"enabled": True, "delayInMinutes": 15},
                },
            }
        )

    # Linked services.

    @route("GET", DEV, r"/linkedservices/(?P<name>[^/]+)", ARTIFACTS)
    def get_link(self, request: Request) -> Response:
        if self.refuses:
            return self._forbidden(request, "Microsoft.Synapse/workspaces/linkedServices/read")
        found = self.links.get(request.match["name"])
        return answer(found) if found else arm_error(404, "LinkedServiceNotFound", "Not found")

    @route("PUT", DEV, r"/linkedservices/(?P<name>[^/]+)", ARTIFACTS)
    def put_link(self, request: Request) -> Response:
        body = checked(request.json, LINK_BODY)
        if self.refuses:
            return self._forbidden(request, "Microsoft.Synapse/workspaces/linkedServices/write")
        name, told = request.match["name"], body["properties"]
        if told["type"] != "AzureMLService" or told["typeProperties"]["authentication"] != "MSI":
            return arm_error(400, "9512", "The definition has no authentication of type MSI.")
        if not self.drops:
            self.links[name] = {
                "id": f"/linkedservices/{name}",
                "name": name,
                "type": "Microsoft.Synapse/workspaces/linkedservices",
                "etag": "1",
                **body,
            }
        return self._accepted(request, "linkedServiceOperationResults")

    @route("DELETE", DEV, r"/linkedservices/(?P<name>[^/]+)", ARTIFACTS)
    def delete_link(self, request: Request) -> Response:
        self.links.pop(request.match["name"], None)
        return self._accepted(request, "linkedServiceOperationResults")

    @route("GET", DEV, r"/linkedServiceOperationResults/(?P<name>[^/]+)", ARTIFACTS)
    def link_operation(self, request: Request) -> Response:
        found = self.links.get(request.match["name"])
        return answer(found or {"status": "Succeeded"})

    def _accepted(self, request: Request, what: str) -> Response:
        name = request.match["name"]
        address = f"https://{request.host}/{what}/{name}?api-version={ARTIFACTS}"
        return answer({"recordId": 1, "state": "Creating"}, 202, Location=address)

    # Synapse RBAC.

    @route("GET", DEV, r"/roleAssignments", ARTIFACTS)
    def role_assignments(self, request: Request) -> Response:
        """Two a page; a scope is asked for with what is above it."""
        if self.refuses:
            return self._forbidden(request, "Microsoft.Synapse/workspaces/roleAssignments/read")
        query = request.query
        shown = [
            entry
            for entry in self.assignments.values()
            if query.get("principalId") in (None, entry["principalId"])
            and query.get("roleId") in (None, entry["roleDefinitionId"])
            and f"{query.get('scope', entry['scope'])}/".startswith(f"{entry['scope']}/")
        ]
        first = int(request.headers.get("x-ms-continuation") or 0)
        page = shown[first : first + 2]
        more = str(first + 2) if first + 2 < len(shown) else ""
        return answer({"count": len(page), "value": page}, x_ms_continuation=more)

    @route("PUT", DEV, r"/roleAssignments/(?P<name>[^/]+)", ARTIFACTS)
    def assign(self, request: Request) -> Response:
        body = checked(request.json, ROLE_BODY)
        if self.refuses:
            return self._forbidden(request, "Microsoft.Synapse/workspaces/roleAssignments/write")
        wanted = body["roleId"], body["principalId"], body["scope"]
        for entry in self.assignments.values():
            if wanted == (entry["roleDefinitionId"], entry["principalId"], entry["scope"]):
                return arm_error(409, "RoleAssignmentAlreadyExists", "It exists already.")
        name = str(uuid.UUID(request.match["name"]))
        return answer(self.grant(body, name))

    def grant(self, body: dict[str, str], name: str = "") -> dict[str, str]:
        """Put an assignment from within the cloud."""
        name = name or str(uuid.uuid4())
        self.assignments[name] = {
            "id": name,
            "roleDefinitionId": body["roleId"],
            "principalId": body["principalId"],
            "scope": body["scope"],
            "principalType": body["principalType"],
        }
        return self.assignments[name]

    def _forbidden(self, request: Request, action: str) -> Response:
        return arm_error(
            403,
            "Unauthorized",
            "The principal does not have the required Synapse RBAC permission to perform this "
            f"action. Required permission: Action: {action}, Scope: "
            f"workspaces/{request.host.split('.')[0]}/*.",
        )
