"""Azure Resource Manager: groups, providers, deployments with their operations, and locks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.azure.cloud.arm_expressions import Expressions, functions_for
from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, route

ARM = r"management\.azure\.com"
VERSION, LOCKS = "2025-04-01", "2016-09-01"
SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
GROUP = SUBSCRIPTION + r"/resource[gG]roups/(?P<group>[^/]+)"
DEPLOYMENT = GROUP + r"/providers/Microsoft\.Resources/deployments/(?P<deployment>[^/]+)"
REGIONS = ("West Europe", "North Europe", "East US 2")
#: Polls that a long operation takes.
POLLS = 2


@dataclass
class Deployment:
    """One deployment: what it makes, in the template's order, one resource a poll."""

    name: str
    parameters: dict[str, Any]
    resources: list[dict[str, Any]]
    outputs: dict[str, Any]
    done: list[str] = field(default_factory=list)
    state: str = "Running"
    fault: tuple[str, str, str] | None = None
    """Resource, code and message of what failed."""


class Resources:
    """What a subscription has.

    `failures` makes resources of a type fail in a deployment, `refusals` the validation;
    `without` is what no region offers; `made` is called with each resource that a deployment
    makes, `gone` with each group that is deleted.
    """

    def __init__(self, clock: Clock) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, Deployment] = {}
        self.registered: dict[str, str] = {}
        self.locks: list[str] = []
        self.failures: dict[str, tuple[str, str]] = {}
        self.refusals: list[tuple[str, str]] = []
        self.without: dict[str, set[str]] = {}
        self.made: Callable[[dict[str, Any]], None] = lambda _: None
        self.gone: Callable[[str], None] = lambda _: None
        self._operations: dict[str, list[Any]] = {}
        self._clock = clock

    # Providers.

    @route("GET", ARM, SUBSCRIPTION + r"/providers/(?P<namespace>[A-Za-z.]+)", VERSION)
    def provider(self, request: Request) -> Response:
        """A registration is done when it is asked for the second time."""
        namespace = request.match["namespace"]
        found = self._provider(request)
        if self.registered.get(namespace) == "Registering":
            self.registered[namespace] = "Registered"
        return answer(found)

    @route("POST", ARM, SUBSCRIPTION + r"/providers/(?P<namespace>[A-Za-z.]+)/register", VERSION)
    def register(self, request: Request) -> Response:
        self.registered[request.match["namespace"]] = "Registering"
        return answer(self._provider(request))

    def _provider(self, request: Request) -> dict[str, Any]:
        namespace = request.match["namespace"]
        return {
            "id": f"/subscriptions/{request.match['subscription']}/providers/{namespace}",
            "namespace": namespace,
            "authorization": {"applicationId": "a", "roleDefinitionId": "r"},
            "resourceTypes": [
                {
                    "resourceType": kind,
                    "locations": [
                        each
                        for each in REGIONS
                        if each not in self.without.get(f"{namespace}/{kind}", ())
                    ],
                    "apiVersions": ["2021-06-01"],
                    "capabilities": "None",
                }
                for kind in (
                    "workspaces",
                    "workspaces/bigDataPools",
                    "workspaces/sqlPools",
                    "vaults",
                )
            ],
            "registrationState": self.registered.get(namespace, "NotRegistered"),
            "registrationPolicy": "RegistrationRequired",
        }

    # Groups.

    @route("GET", ARM, SUBSCRIPTION + r"/resourcegroups", VERSION)
    def list_groups(self, request: Request) -> Response:
        tag = request.query.get("$filter", "").partition("'")[2].partition("'")[0]
        return answer({"value": [g for g in self.groups.values() if not tag or tag in g["tags"]]})

    @route("GET", ARM, GROUP, VERSION)
    def group(self, request: Request) -> Response:
        found = self.groups.get(request.match["group"])
        return answer(found) if found else self._no_group(request)

    @route("PUT", ARM, GROUP, VERSION)
    def put_group(self, request: Request) -> Response:
        name, asked = request.match["group"], request.json
        is_new = name not in self.groups
        self.groups[name] = {
            "id": f"/subscriptions/{request.match['subscription']}/resourceGroups/{name}",
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": asked["location"],
            "tags": asked.get("tags", {}),
            "properties": {"provisioningState": "Succeeded"},
            **({"managedBy": asked["managedBy"]} if "managedBy" in asked else {}),
        }
        return answer(self.groups[name], 201 if is_new else 200)

    @route("DELETE", ARM, GROUP, VERSION)
    def delete_group(self, request: Request) -> Response:
        name = request.match["group"]
        if name not in self.groups:
            return self._no_group(request)
        if any(f"/resourcegroups/{name}/" in lock.lower() for lock in self.locks):
            return arm_error(409, "ScopeLocked", f"The scope '{name}' cannot be deleted: a lock.")
        return self._accepted(request, lambda: self._deleted(name))

    def _deleted(self, name: str) -> Response:
        """The group is gone, with what is in it."""
        self.groups.pop(name, None)
        for id_ in [id_ for id_ in self.resources if f"/resourceGroups/{name}/" in id_]:
            del self.resources[id_]
        self.gone(name)
        return Response(200)

    @route("GET", ARM, GROUP + r"/resources", VERSION)
    def list_resources(self, request: Request) -> Response:
        if request.match["group"] not in self.groups:
            return self._no_group(request)
        inside = f"/resourceGroups/{request.match['group']}/"
        return answer({"value": [r for id_, r in self.resources.items() if inside in id_]})

    @route("GET", ARM, SUBSCRIPTION + r"/operationresults/(?P<id>[^/]+)", VERSION)
    def operation_result(self, request: Request) -> Response:
        """Accepted, until it is done."""
        number = request.match["id"]
        operation = self._operations[number]
        operation[0] -= 1
        if operation[0] > 0:
            return Response(202, b"", {"Location": self._operation(request, number)})
        done: Response = operation[1]()
        return done

    @route("GET", ARM, GROUP + r"/providers/Microsoft\.Authorization/locks", LOCKS)
    def list_locks(self, request: Request) -> Response:
        kind, level = "Microsoft.Authorization/locks", {"level": "CanNotDelete"}
        locks = [
            {"id": lock, "name": lock.rpartition("/")[2], "type": kind, "properties": level}
            for lock in self.locks
        ]
        return answer({"value": locks})

    # Deployments.

    @route("POST", ARM, DEPLOYMENT + r"/validate", VERSION)
    def validate(self, request: Request) -> Response:
        if request.match["group"] not in self.groups:
            return self._no_group(request)
        if self.refusals and self.refusals[0][0] == "InvalidTemplate":
            place = {"lineNumber": 1, "linePosition": 1, "path": "p"}
            info = [{"type": "TemplateViolation", "info": place}]
            code, text = self.refusals[0]
            told = {"code": code, "message": text}
            return answer({"error": told | {"additionalInfo": info}}, 400)
        if self.refusals:
            details = [{"code": code, "message": text} for code, text in self.refusals]
            told = {"code": "InvalidTemplateDeployment", "message": "It is not valid."}
            return answer({"error": told | {"details": details}}, 400)
        deployment = self._read(request)
        body = self._body(request, deployment, "Succeeded")
        ids = [{"id": each["id"]} for each in deployment.resources]
        body["properties"] |= {"validatedResources": ids, "duration": "PT0S"}
        return answer(body)

    @route("POST", ARM, DEPLOYMENT + r"/whatIf", VERSION)
    def what_if(self, request: Request) -> Response:
        if request.match["group"] not in self.groups:
            return self._no_group(request)
        changes = []
        for each in self._read(request).resources:
            before = self.resources.get(each["id"])
            change = "Create" if before is None else "NoChange"
            sizes = before and before.get("sku"), each.get("sku")
            delta = []
            if before is not None and sizes[0] != sizes[1]:
                change = "Modify"
                delta = [
                    {
                        "path": "sku.name",
                        "propertyChangeType": "Modify",
                        "before": "a",
                        "after": "b",
                    }
                ]
            own = {"id": each["id"], "type": each["type"], "name": each["name"]}
            changes.append(
                {"resourceId": each["id"], "changeType": change, "after": own, "delta": delta}
            )
        told = {"correlationId": "c", "changes": changes}
        done = answer({"status": "Succeeded", "properties": told})
        return self._accepted(request, lambda: done, polls=1)

    @route("PUT", ARM, DEPLOYMENT, VERSION)
    def deploy(self, request: Request) -> Response:
        if request.match["group"] not in self.groups:
            return self._no_group(request)
        deployment = self._read(request)
        self.deployments[deployment.name] = deployment
        address = f"https://management.azure.com{request.path}/operationStatuses/1"
        headers = {"Azure_AsyncOperation": f"{address}?api-version={request.api_version}"}
        return answer(self._body(request, deployment, "Accepted"), 201, **headers)

    @route("GET", ARM, DEPLOYMENT + r"/operationStatuses/[^/]+", VERSION)
    def deployment_status(self, request: Request) -> Response:
        """Makes the next resource."""
        deployment = self.deployments[request.match["deployment"]]
        self._make_next(deployment)
        if deployment.fault is not None:
            _, code, message = deployment.fault
            told = {
                "code": "DeploymentFailed",
                "message": "At least one resource deployment operation failed.",
                "details": [{"code": code, "message": message}],
            }
            return answer({"status": "Failed", "error": told})
        return answer({"status": deployment.state})

    @route("GET", ARM, DEPLOYMENT, VERSION)
    def deployment(self, request: Request) -> Response:
        found = self.deployments.get(request.match["deployment"])
        if found is None:
            return arm_error(404, "DeploymentNotFound", "Deployment could not be found.")
        body = self._body(request, found, found.state)
        body["properties"]["outputs"] = found.outputs
        body["properties"]["outputResources"] = [{"id": each} for each in found.done]
        return answer(body)

    @route("GET", ARM, GROUP + r"/deployments/(?P<deployment>[^/]+)/operations", VERSION)
    def operations(self, request: Request) -> Response:
        found = self.deployments[request.match["deployment"]]
        fault = found.fault
        rows = [self._row(request, each, "Succeeded", None) for each in found.done]
        if fault is not None:
            error = {"error": {"code": fault[1], "message": fault[2]}}
            rows.append(self._row(request, fault[0], "Failed", error))
        return answer({"value": rows})

    def _make_next(self, deployment: Deployment) -> None:
        waiting = [each for each in deployment.resources if each["id"] not in deployment.done]
        if not waiting or deployment.fault is not None:
            deployment.state = "Failed" if deployment.fault else "Succeeded"
            return
        resource = waiting[0]
        failure = self.failures.get(resource["type"])
        if failure is not None:
            deployment.fault = (resource["id"], *failure)
            return
        deployment.done.append(resource["id"])
        if "tags" in resource:  # roles, and what is inside of others, are not listed
            self.resources[resource["id"]] = resource
        self.made(resource)
        if len(waiting) == 1:
            deployment.state = "Succeeded"

    def _read(self, request: Request) -> Deployment:
        """What the template says for the parameters; an unknown or missing one is an error."""
        asked = request.json["properties"]
        template = asked["template"]
        group = self.groups[request.match["group"]]
        subscription = {"id": f"/subscriptions/{request.match['subscription']}", "tenantId": "t"}
        given = {name: each["value"] for name, each in asked["parameters"].items()}
        assert given.keys() <= template["parameters"].keys(), given
        parameters = dict(given)
        functions = functions_for(group, subscription, parameters, template)
        evaluate = Expressions(functions).value
        for name, each in template["parameters"].items():
            if name not in parameters:
                parameters[name] = evaluate(each["defaultValue"])
        shown = {
            name: {"type": template["parameters"][name]["type"].title(), "value": value}
            for name, value in parameters.items()
            if not template["parameters"][name]["type"].lower().startswith("secure")
        }
        outputs = {
            name: {"type": "String", "value": evaluate(each["value"])}
            for name, each in template.get("outputs", {}).items()
            if "value" in each
        }
        made = [*_resources(template, functions, group["id"])]
        return Deployment(request.match["deployment"], shown, made, outputs)

    def _body(self, request: Request, deployment: Deployment, state: str) -> dict[str, Any]:
        path = request.path.removesuffix("/validate").replace("resourcegroups", "resourceGroups")
        return {
            "id": path,
            "name": deployment.name,
            "type": "Microsoft.Resources/deployments",
            "properties": {
                "templateHash": "1",
                "parameters": deployment.parameters,
                "mode": "Incremental",
                "provisioningState": state,
                "timestamp": self._clock.text(),
                "duration": "PT1S",
                "correlationId": "c",
                "providers": [],
                "dependencies": [],
            },
        }

    def _row(
        self, request: Request, resource: str, state: str, error: dict[str, Any] | None
    ) -> dict[str, Any]:
        number = uuid.uuid5(uuid.NAMESPACE_URL, resource).hex[:16].upper()
        tail = resource.rpartition("/providers/")[2].split("/")
        target = {
            "id": resource,
            "resourceType": "/".join([tail[0], *tail[1::2]]),
            "resourceName": "/".join(tail[2::2]),
        }
        return {
            "id": f"{request.path}/{number}",
            "operationId": number,
            "properties": {
                "provisioningOperation": "Create",
                "provisioningState": state,
                "timestamp": self._clock.text(),
                "duration": "PT1S",
                "trackingId": "t",
                "statusCode": "Conflict" if error else "Created",
                **({"statusMessage": error} if error else {}),
                "targetResource": target,
            },
        }

    def expect(self, number: str, result: Callable[[], Response], polls: int = POLLS) -> None:
        """Let an operation be asked for; `result` ends it, at the poll of this number."""
        self._operations[number] = [polls, result]

    def _accepted(
        self, request: Request, result: Callable[[], Response], polls: int = POLLS
    ) -> Response:
        number = str(uuid.uuid4())
        self.expect(number, result, polls)
        return Response(202, b"", {"Location": self._operation(request, number)})

    def _operation(self, request: Request, number: str) -> str:
        subscription = request.match["subscription"]
        return (
            f"https://management.azure.com/subscriptions/{subscription}/operationresults/{number}"
            f"?api-version={request.api_version}"
        )

    def _no_group(self, request: Request) -> Response:
        message = f"Resource group '{request.match['group']}' could not be found."
        return arm_error(404, "ResourceGroupNotFound", message)


def _resources(
    template: dict[str, Any], functions: dict[str, Callable[..., Any]], group: str
) -> Iterator[dict[str, Any]]:
    """The resources that a template makes, each loop's rounds included."""
    for each in template["resources"]:
        rounds = Expressions(functions).value(each.get("copy", {}).get("count", 1))
        for number in range(rounds):
            resource = Expressions(functions, number).value(each)
            if not resource.get("condition", True):
                continue
            provider, *types = resource["type"].split("/")
            names = resource["name"].split("/")
            pairs = "/".join(f"{kind}/{name}" for kind, name in zip(types, names, strict=True))
            place = f"{group}/providers/{resource['scope']}" if "scope" in resource else group
            yield resource | {
                "id": f"{place}/providers/{provider}/{pairs}",
                "name": names[-1],
                "provisioningState": "Succeeded",
            }
