"""Compute targets of the Azure ML workspace, and its linked services of SDK v1."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, checked, route
from tests.azure.cloud.machine_learning import API, ARM, REGION, WORKSPACE

V1_LINKS, V1_COMPUTE = "2020-04-01-preview", "2020-02-02"
V2_COMPUTE = "2023-08-01-preview"
COMPUTE = WORKSPACE + r"/computes/(?P<name>[^/]+)"
LINKS = WORKSPACE + r"/linkedServices"
LINK = LINKS + r"/(?P<name>[^/]+)"
OPERATION = (
    r"/subscriptions/[^/]+/providers/Microsoft\.MachineLearningServices/locations/[^/]+"
    r"/computeOperationsStatus/(?P<id>[^/]+)"
)
#: The fields that the real SDKs send; more or fewer are refused.
LINK_BODY = {
    "name": str,
    "location": str,
    "identity": {"type": str},
    "properties": {"linkedServiceResourceId": str},
}
V1_BODY = {
    "id": str,
    "name": str,
    "location": str,
    "tags": type(None),
    "properties": {
        "computeType": str,
        "resourceId": str,
        "description": type(None),
        "properties": type(None),
        "provisioningState": str,
        "provisioningErrors": type(None),
        "isAttachedCompute": bool,
    },
}
V2_BODY = {
    "location": str,
    "identity": {"type": str},
    "properties": {"computeType": str, "resourceId": str},
}


class Computes:
    """Attached Spark pools and linked services; `owner` says whether the caller owns Synapse."""

    def __init__(self, clock: Clock) -> None:
        self.computes: dict[str, dict[str, Any]] = {}
        self.links: dict[str, dict[str, Any]] = {}
        self.owner = True
        self.registers = True
        """Whether the service still registers workspaces that were not linked before."""
        self._clock = clock

    # Compute targets.

    @route("PUT", ARM, COMPUTE, V1_COMPUTE, V2_COMPUTE)
    def attach(self, request: Request) -> Response:
        shape = V1_BODY if request.api_version == V1_COMPUTE else V2_BODY
        body = checked(request.json, shape)
        name, asked = request.match["name"], body["properties"]
        if asked["computeType"] != "SynapseSpark":
            return arm_error(400, "BadRequest", "Only Spark pools are attached here.")
        self.computes[name] = self._compute(request.match["workspace"], name, asked["resourceId"])
        if "identity" in body:
            principal = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
            identity = {"type": "SystemAssigned", "principalId": principal, "tenantId": "t"}
            self.computes[name]["identity"] = identity
        headers = self._operation(request)
        return answer(self.computes[name] | _creating(self.computes[name]), 201, **headers)

    @route("GET", ARM, COMPUTE, V2_COMPUTE)
    def compute(self, request: Request) -> Response:
        return self._found(request.match["name"])

    @route("GET", API, r"/rp/workspaces" + COMPUTE, V1_COMPUTE)
    def compute_v1(self, request: Request) -> Response:
        return self._found(request.match["name"])

    @route("GET", ARM, WORKSPACE + r"/computes", V2_COMPUTE)
    def list(self, request: Request) -> Response:
        return answer({"value": [*self.computes.values()]})

    @route("GET", API, r"/rp/workspaces" + WORKSPACE + r"/computes", V1_COMPUTE)
    def list_v1(self, request: Request) -> Response:
        return answer({"value": [*self.computes.values()]})

    @route("DELETE", ARM, COMPUTE, V1_COMPUTE, V2_COMPUTE)
    def detach(self, request: Request) -> Response:
        if request.query.get("underlyingResourceAction", "").lower() != "detach":
            return arm_error(400, "BadRequest", "A Spark pool is detached, not deleted.")
        if self.computes.pop(request.match["name"], None) is None:
            return arm_error(404, "ResourceNotFound", "The compute was not found.")
        return Response(
            202, b"", {n.replace("_", "-"): v for n, v in self._operation(request).items()}
        )

    @route("GET", ARM, OPERATION, V1_COMPUTE, V2_COMPUTE)
    def operation(self, request: Request) -> Response:
        return answer({"status": "Succeeded", "percentComplete": 100.0})

    def _operation(self, request: Request) -> dict[str, str]:
        subscription = request.path.split("/")[2]
        address = (
            f"https://management.azure.com/subscriptions/{subscription}/providers/"
            f"Microsoft.MachineLearningServices/locations/{REGION}/computeOperationsStatus/1"
            f"?api-version={request.api_version}&service=new"
        )
        return {"Azure_AsyncOperation": address}

    def _found(self, name: str) -> Response:
        found = self.computes.get(name)
        return answer(found) if found else arm_error(404, "ResourceNotFound", "No such compute.")

    def _compute(self, workspace: str, name: str, pool: str) -> dict[str, Any]:
        return {
            "id": f"{workspace}/computes/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/computes",
            "location": REGION,
            "tags": {},
            "properties": {
                "computeType": "SynapseSpark",
                "computeLocation": REGION,
                "resourceId": pool,
                "description": None,
                "createdOn": self._clock.text(),
                "modifiedOn": self._clock.text(),
                "provisioningState": "Succeeded",
                "provisioningErrors": None,
                "isAttachedCompute": True,
                "disableLocalAuth": False,
                "properties": {
                    "sparkVersion": "3.5",
                    "nodeCount": 3,
                    "nodeSize": "Small",
                    "nodeSizeFamily": "MemoryOptimized",
                    "autoScaleProperties": {"enabled": False},
                    "autoPauseProperties": {"enabled": True, "delayInMinutes": 15},
                },
            },
        }

    # Linked services.

    @route("GET", ARM, LINKS, V1_LINKS)
    def list_links(self, request: Request) -> Response:
        return answer({"value": [*self.links.values()]})

    @route("GET", ARM, LINK, V1_LINKS)
    def get_link(self, request: Request) -> Response:
        found = self.links.get(request.match["name"])
        return answer(found) if found else arm_error(404, "UserError", "No such linked service.")

    @route("PUT", ARM, LINK, V1_LINKS)
    def register(self, request: Request) -> Response:
        body = checked(request.json, LINK_BODY)
        if not self.owner:
            return arm_error(403, "AuthorizationFailed", "The client is no owner of the workspace.")
        if not self.registers:
            return arm_error(400, "UserError", "Linking of new Synapse workspaces has ended.")
        return answer(self.add_link(request.match["name"], body["properties"], request.match))

    def add_link(
        self, name: str, properties: dict[str, Any], match: dict[str, str]
    ) -> dict[str, Any]:
        """Put a link from within the cloud, as if somebody had registered it before."""
        now = self._clock.text()
        self.links[name] = {
            "id": f"{match['workspace']}/linkedServices/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/linkedServices",
            "location": REGION,
            "identity": {
                "type": "SystemAssigned",
                "principalId": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
                "tenantId": "t",
            },
            "properties": properties | {"linkType": "Synapse", "createdTime": now},
        }
        return self.links[name]

    @route("DELETE", ARM, LINK, V1_LINKS)
    def unregister(self, request: Request) -> Response:
        if self.links.pop(request.match["name"], None) is None:
            return arm_error(404, "UserError", "No such linked service.")
        return Response(200)

    @route("GET", ARM, r"/subscriptions", "2022-12-01")
    def subscriptions(self, request: Request) -> Response:
        number = "55555555-5555-5555-5555-555555555555"
        entry = {
            "id": f"/subscriptions/{number}",
            "subscriptionId": number,
            "tenantId": "11111111-1111-1111-1111-111111111111",
            "displayName": "Bikes",
            "state": "Enabled",
        }
        return answer({"value": [entry]})


def _creating(compute: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(compute))
    body["properties"]["provisioningState"] = "Creating"
    return body
