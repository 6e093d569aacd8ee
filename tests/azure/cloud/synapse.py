"""The Synapse workspace: what ARM says of it, its linked services, and its Synapse RBAC."""

from __future__ import annotations

import uuid
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, checked, route
from tests.azure.cloud.recorded import like

ARM = r"management\.azure\.com"
DEV = r"[a-z0-9-]+\.dev\.azuresynapse\.net"
SYNAPSE = (
    r"(?P<id>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Synapse"
    r"/workspaces/(?P<workspace>[^/]+))"
)
MANAGEMENT, ARTIFACTS = "2021-03-01", "2020-12-01"
NOTEBOOKS = "synapse-notebooks"
IDENTITY = "66666666-6666-6666-6666-666666666666"
LINK_BODY = {
    "properties": {
        "type": str,
        "description": str,
        "typeProperties": {
            "subscriptionId": str,
            "resourceGroupName": str,
            "mlWorkspaceName": str,
            "authentication": str,
        },
        "connectVia": {"type": str, "referenceName": str},
    }
}
RULE_BODY = {"properties": {"startIpAddress": str, "endIpAddress": str}}
ROLE_BODY = {"roleId": str, "principalId": str, "scope": str, "principalType": str}


class Synapse:
    """One workspace; `refuses` makes its data plane answer 403, `drops` lose new links."""

    spark_version = "3.5"
    pool = "sparkpool"

    def __init__(self, clock: Clock) -> None:
        self.links: dict[str, dict[str, Any]] = {}
        self.assignments: dict[str, dict[str, str]] = {}
        self.notebooks: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, tuple[str, str]] = {}
        """Firewall rules: first and last address."""
        self._operations: dict[str, dict[str, Any] | None] = {}
        self._notebook_operations: dict[str, tuple[str, int]] = {}
        self.refuses = False
        self.drops = False
        self._clock = clock

    # Management.

    @route("GET", ARM, SYNAPSE, MANAGEMENT)
    def workspace(self, request: Request) -> Response:
        name = request.match["workspace"]
        hosts = {
            "dev": f"https://{name}.dev.azuresynapse.net",
            "sql": f"{name}.sql.azuresynapse.net",
            "sqlOnDemand": f"{name}-ondemand.sql.azuresynapse.net",
            "web": f"https://web.azuresynapse.net?workspace={request.match['id']}",
        }
        lake = {
            "accountUrl": "https://bikelake.dfs.core.windows.net",
            "createManagedPrivateEndpoint": False,
            "filesystem": "files",
        }
        own = {
            "id": request.match["id"],
            "name": name,
            "type": "Microsoft.Synapse/workspaces",
            "location": "westeurope",
            "identity": {"type": "SystemAssigned", "principalId": IDENTITY, "tenantId": "t"},
            "properties": {"connectivityEndpoints": hosts, "defaultDataLakeStorage": lake},
        }
        call = "GET management.azure.com{workspace} 200"
        return answer(like("synapse-workspace-arm", call, own))

    @route("GET", ARM, SYNAPSE + r"/bigDataPools/(?P<pool>[^/]+)", MANAGEMENT)
    def spark_pool(self, request: Request) -> Response:
        if request.match["pool"] != self.pool:
            return arm_error(404, "ResourceNotFound", "The Spark pool was not found.")
        own = {
            "id": request.path,
            "name": request.match["pool"],
            "type": "Microsoft.Synapse/workspaces/bigDataPools",
            "location": "westeurope",
            "properties": {
                "sparkVersion": self.spark_version,
                "nodeCount": 3,
                "nodeSize": "Small",
                "nodeSizeFamily": "MemoryOptimized",
                "autoScale": {"enabled": False, "minNodeCount": 0, "maxNodeCount": 0},
                "autoPause": {"enabled": True, "delayInMinutes": 15},
            },
        }
        call = "GET management.azure.com{workspace}/bigDataPools/{name} 200"
        return answer(like("synapse-workspace-arm", call, own))

    @route("PUT", ARM, SYNAPSE + r"/firewallRules/(?P<rule>[^/]+)", MANAGEMENT)
    def put_rule(self, request: Request) -> Response:
        asked = checked(request.json, RULE_BODY)["properties"]
        self.rules[request.match["rule"]] = (asked["startIpAddress"], asked["endIpAddress"])
        address = f"https://management.azure.com{request.match['id']}"
        version = f"api-version={request.api_version}"
        body = {
            "properties": {"provisioningState": "Provisioning", **asked},
            "id": request.path,
            "name": request.match["rule"],
            "type": "Microsoft.Synapse/workspaces/firewallRules",
        }
        headers = {
            "Location": f"{address}/operationResults/1?{version}",
            "Azure_AsyncOperation": f"{address}/operationStatuses/1?{version}",
        }
        return answer(body, 201, **headers)

    @route("GET", ARM, SYNAPSE + r"/operationStatuses/[^/]+", MANAGEMENT)
    def operation(self, request: Request) -> Response:
        return answer({"status": "Succeeded"})

    @route("GET", ARM, SYNAPSE + r"/operationResults/[^/]+", MANAGEMENT)
    def result(self, request: Request) -> Response:
        """The rule that was made last."""
        name, (start, end) = next(reversed(self.rules.items()), ("", ("", "")))
        told = {"startIpAddress": start, "endIpAddress": end, "provisioningState": "Succeeded"}
        own = {"id": f"{request.match['id']}/firewallRules/{name}", "name": name}
        kind = "Microsoft.Synapse/workspaces/firewallRules"
        return answer({**own, "type": kind, "properties": told})

    # Linked services.

    @route("GET", DEV, r"/linkedservices/(?P<name>[^/]+)", ARTIFACTS)
    def get_link(self, request: Request) -> Response:
        if self.refuses:
            return self._forbidden(request, "Microsoft.Synapse/workspaces/linkedServices/read")
        name = request.match["name"]
        if name not in self.links:
            # The real service has no envelope `error` here.
            told = f"The LinkedService {name} was not found"
            return answer({"code": "LinkedServiceNotFound", "message": told}, 404)
        return answer(self.links[name])

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
                "id": self._resource(request),
                "name": name,
                "type": "Microsoft.Synapse/workspaces/linkedservices",
                "properties": {"annotations": [], **told},
                "etag": "45065c5d-0000-0100-0000-629469f20000",
            }
        return self._accepted(request, "Creating", self.links.get(name))

    @route("DELETE", DEV, r"/linkedservices/(?P<name>[^/]+)", ARTIFACTS)
    def delete_link(self, request: Request) -> Response:
        self.links.pop(request.match["name"], None)
        return self._accepted(request, "Deleting", None)

    @route("GET", DEV, r"/operationResults/(?P<id>[^/]+)", ARTIFACTS)
    def link_operation(self, request: Request) -> Response:
        """The link that was made; without a body where one was deleted."""
        made = self._operations[request.match["id"]]
        return Response(200) if made is None else answer(made)

    def _accepted(self, request: Request, state: str, made: dict[str, Any] | None) -> Response:
        number = str(uuid.uuid4())
        self._operations[number] = made
        address = f"https://{request.host}/operationResults/{number}?api-version={ARTIFACTS}"
        now = self._clock.text()
        body = {
            "id": self._resource(request),
            "recordId": 1 if state == "Creating" else 0,
            "state": state,
            "created": now,
            "changed": now,
            "type": "LinkedService",
            "name": request.match["name"],
            "operationId": number,
            **({"artifactId": str(uuid.uuid4()).upper()} if state == "Creating" else {}),
        }
        return answer(body, 202, Location=address)

    def _resource(self, request: Request, kind: str = "linkedservices") -> str:
        workspace = request.host.split(".")[0]
        group = "/subscriptions/55555555-5555-5555-5555-555555555555/resourceGroups/bikes"
        what = f"{kind}/{request.match['name']}"
        return f"{group}/providers/Microsoft.Synapse/workspaces/{workspace}/{what}"

    # Notebooks.

    @route("PUT", DEV, r"/notebooks/(?P<name>[^/]+)", ARTIFACTS)
    def put_notebook(self, request: Request) -> Response:
        if self.refuses:
            return self._forbidden(request, "Microsoft.Synapse/workspaces/notebooks/write")
        name, body = request.match["name"], request.json
        own = {"id": self._resource(request, "notebooks"), "name": name}
        example = like(NOTEBOOKS, "GET {synapse}.dev.azuresynapse.net/notebooks/{name} 200", own)
        session = example["properties"]["sessionProperties"]
        sent = body["properties"]
        sent["sessionProperties"] = session | sent.get("sessionProperties", {})
        example["properties"] |= sent
        if not self.drops:
            self.notebooks[name] = example
        call = "PUT {synapse}.dev.azuresynapse.net/notebooks/{name} 202"
        return self._notebook_accepted(request, like(NOTEBOOKS, call, own))

    @route("DELETE", DEV, r"/notebooks/(?P<name>[^/]+)", ARTIFACTS)
    def delete_notebook(self, request: Request) -> Response:
        name = request.match["name"]
        self.notebooks.pop(name, None)
        own = {"id": self._resource(request, "notebooks"), "name": name}
        call = "DELETE {synapse}.dev.azuresynapse.net/notebooks/{name} 202"
        return self._notebook_accepted(request, like(NOTEBOOKS, call, own))

    def _notebook_accepted(self, request: Request, body: dict[str, Any]) -> Response:
        number = str(uuid.uuid4())
        self._notebook_operations[number] = (body["name"], 0)
        place = f"https://{request.host}/notebookOperationResults/{number}"
        return answer(body, 202, Location=f"{place}?api-version={ARTIFACTS}")

    @route("GET", DEV, r"/notebookOperationResults/(?P<id>[^/]+)", ARTIFACTS)
    def notebook_operation(self, request: Request) -> Response:
        """In progress at the first look, then what was made."""
        number = request.match["id"]
        name, looks = self._notebook_operations[number]
        self._notebook_operations[number] = (name, looks + 1)
        if looks == 0:
            place = f"https://{request.host}/notebookOperationResults/{number}"
            location = f"{place}?api-version={ARTIFACTS}"
            return answer({"status": "InProgress"}, 202, Location=location)
        return answer(self.notebooks[name]) if name in self.notebooks else Response(200)

    @route("GET", DEV, r"/notebooks/(?P<name>[^/]+)", ARTIFACTS)
    def get_notebook(self, request: Request) -> Response:
        if self.refuses:
            return self._forbidden(request, "Microsoft.Synapse/workspaces/notebooks/read")
        name = request.match["name"]
        if name in self.notebooks:
            return answer(self.notebooks[name])
        own = {"code": 404, "message": f"GetNotebook failed: {name} does not exist"}
        call = "GET {synapse}.dev.azuresynapse.net/notebooks/{name} 404"
        return answer(like(NOTEBOOKS, call, own), 404)

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
