"""What has to be there before a recorded exchange passes through the fake cloud.

A recording begins in the middle of somebody's workspace, and its client is not always ours: where
the fake takes only what the product sends, the body is replaced by that.
"""

from __future__ import annotations

import itertools
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.azure.cloud.cloud import Cloud
from tests.azure.cloud.http import Response
from tests.azure.cloud.livy import driver_log
from tests.azure.cloud.machine_learning import Job, MachineLearning, Trial
from tests.azure.cloud.resources import Deployment
from tests.azure.cloud.storage import StoredFile
from tests.azure.shape_replay import request_of

_POOL = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Synapse/workspaces/w/bigDataPools/p"
_LINK = {
    "subscriptionId": "s",
    "resourceGroupName": "g",
    "mlWorkspaceName": "w",
    "authentication": "MSI",
}
_TASK = {
    "taskType": "Regression",
    "primaryMetric": "SpearmanCorrelation",
    "logVerbosity": "Info",
    "targetColumnName": "rentals",
    "trainingData": {"jobInputType": "mltable", "uri": "azureml://datastores/d/paths/p"},
}


def aml_compute(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Spark pools are attached here, not clusters made."""
    if exchange["method"] == "PUT":
        body = {"computeType": "SynapseSpark", "resourceId": _POOL}
        exchange["body"] = {
            "location": "westeurope",
            "identity": {"type": "SystemAssigned"},
            "properties": body,
        }
    exchange["url"] = exchange["url"].replace("Action=Delete", "Action=Detach")


def aml_datastores(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The recorded store is there until the recording says otherwise."""
    name = segment_after(exchange, "datastores")
    stores = cloud.machine_learning.stores
    if exchange["status"] == 404:
        stores.pop(name, None)
    elif name:
        stores[name] = "container"


def aml_jobs(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Jobs are AutoML here, and whatever else is asked for is one of their trials."""
    ml, name = cloud.machine_learning, segment_after(exchange, "jobs")
    aml_datastores(cloud, exchange)
    if ".blob." in exchange["url"]:
        storage(cloud, exchange)
        return
    if exchange["method"] == "PUT" and name:
        exchange["body"] = {"properties": {"jobType": "AutoML", "taskDetails": _TASK}}
        return
    for run in (name, segment_after(exchange, "runs")):
        if run and run not in ml.jobs:
            add_trial(ml, run)
    if exchange["url"].endswith("/rundata"):
        add_trial(ml, exchange["body"]["runId"])


def add_trial(ml: MachineLearning, name: str) -> None:
    """Let a job have a trial of a name."""
    job = next(iter(ml.jobs.values()), None) or Job("parent", {"taskDetails": _TASK}, 0.0)
    ml.jobs[job.name] = job
    if all(trial.name != name for trial in job.trials):
        job.trials.append(Trial(name, "Any", 0.5))
    job.status = "Completed"


def automl_jobs(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Every job is regression; a recording may begin with one that was submitted before."""
    ml, name = cloud.machine_learning, segment_after(exchange, "jobs")
    aml_datastores(cloud, exchange)
    if exchange["method"] == "PUT" and name:
        exchange["body"] = {"properties": {"jobType": "AutoML", "taskDetails": _TASK}}
        ml.jobs.pop(name, None)
    if exchange["method"] == "HEAD" and exchange["status"] == 200:
        add_file(cloud, exchange)


def job_cancel(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """A cancellation takes a while."""
    automl_jobs(cloud, exchange)
    if "mfeOperationResults" in exchange["url"] and exchange["status"] == 200:
        cloud.clock.advance(3600)


def aml_models(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Versions that were there before the recording, and models that were not."""
    aml_datastores(cloud, exchange)
    name = segment_after(exchange, "models")
    if not name or exchange["method"] == "PUT":
        return
    models = cloud.machine_learning.models
    if exchange["status"] == 404:
        models.pop(name, None)
    elif name not in models:
        url = exchange["url"].partition("?")[0].partition("/versions")[0]
        asked = {"modelUri": "azureml://jobs/j/outputs/artifacts/model.pkl"}
        made = {
            "method": "PUT",
            "url": f"{url}/versions/1",
            "body": {
                "properties": {**asked, "modelType": "custom_model", "tags": {}, "properties": {}}
            },
        }
        routed = cloud.route_of(request_of(made, {}))
        assert routed
        routed[0].handler(routed[1])


def aml_workspace(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The workspace is there unless the recording says otherwise."""
    cloud.machine_learning.exists = exchange["status"] != 404


def deployments(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The group is there; templates, which the shapes do not have, are empty ones."""
    resources = cloud.resources
    group, name = segment_after(exchange, "resourcegroups"), segment_after(exchange, "deployments")
    resources.groups[group] = {"id": f"/subscriptions/s/resourceGroups/{group}", "tags": {}}
    if "body" in exchange:
        template = {"parameters": {}, "variables": {}, "resources": []}
        exchange["body"] = {
            "properties": {"mode": "Incremental", "parameters": {}, "template": template}
        }
    resources.refusals = [("InvalidTemplate", "m")] if exchange["status"] == 400 else []
    if exchange["method"] == "GET" and name and name not in resources.deployments:
        resources.deployments[name] = Deployment(name, {}, [], {})
    number = segment_after(exchange, "operationresults")
    if exchange["status"] in (202, 204) and number not in resources._operations:
        # Of the deletion of a deployment, which the product does not make.
        resources.expect(number, lambda: Response(204))


def failed_deployment(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """One resource could not be made."""
    deployments(cloud, exchange)
    for each in cloud.resources.deployments.values():
        each.fault = ("r", "BadRequest", "m")


def resource_groups(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The group that is deleted first is there, and all that are asked for later."""
    name, groups = segment_after(exchange, "resourcegroups"), cloud.resources.groups
    if exchange["method"] == "DELETE":
        groups[name] = {"id": f"/subscriptions/s/resourceGroups/{name}", "tags": {}}


def role_assignments(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Only what the product sends; before the conflict the same role was given."""
    if exchange["method"] != "PUT":
        return
    given = {
        "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/r",
        "principalId": "p",
        "principalType": "User",
    }
    exchange["body"] = {"properties": given}
    if exchange["status"] == 409:
        scope = urlsplit(exchange["url"]).path.partition("/providers/Microsoft.Auth")[0]
        cloud.authorization.grant("r", "p", scope, "User")
    else:
        cloud.authorization.assignments.clear()


def livy_batches(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The pool's next id is that of the recorded batch; a list has batches of all ends."""
    number = re.search(r"/batches/(\d+)", exchange["url"])
    livy = cloud.livy
    if number and not any(batch.id == int(number[1]) for batch in livy.batches):
        livy._ids = itertools.count(int(number[1]))
        livy.add({"name": "b", "file": "f"})
    elif exchange["url"].partition("?")[0].endswith("/batches") and exchange["method"] == "GET":
        ends = [("success", "Succeeded"), ("error", "Cancelled")]
        ends += [] if livy.batches or "from=" in exchange["url"] else [("dead", "Failed")]
        for state, result in ends:
            batch = livy.add({"name": "b", "file": "f"})
            batch.state, batch.result = state, result
            batch.log = None if state == "error" else driver_log("")
        for _ in range(int(dict_of(exchange).get("from", 0))):
            livy.batches.insert(0, livy.batches[0])


def livy_sessions(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The session has the recorded id; a list has ended ones."""
    number = re.search(r"/sessions/(\d+)", exchange["url"])
    livy = cloud.livy_sessions
    if number and not any(session.id == int(number[1]) for session in livy.sessions):
        livy.add("s", number=int(number[1]))
    elif exchange["url"].partition("?")[0].endswith("/sessions") and exchange["method"] == "GET":
        livy.add("s", state="dead")


def sql_pool(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """A pool of the recorded name in the state that the recording needs."""
    pools = cloud.sql_pools
    pools.name = segment_after(exchange, "sqlPools") if exchange["status"] != 404 else "other"
    if exchange["url"].partition("?")[0].endswith("/pause"):
        pools.status = "Online"
    elif exchange["url"].partition("?")[0].endswith("/resume"):
        pools.status = "Paused"


def storage(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Paths of a list that was recorded without their making; contents, which were left out."""
    if "comp=blocklist" in exchange["url"]:
        blocks = cloud.storage.files[key_of(exchange)].blocks
        exchange["body"] = "".join(f"<Latest>{name}</Latest>" for name in blocks)
    elif exchange["method"] == "PUT" and ".blob." in exchange["url"]:
        exchange.setdefault("body", 3)
    if "continuation=" in exchange["url"]:
        exchange["url"] = re.sub(r"continuation=[^&]+", "continuation=6", exchange["url"])
    url = urlsplit(exchange["url"])
    account, container = url.netloc.split(".")[0], unquote(url.path).split("/")[1]
    files = cloud.storage.files
    if "resource=filesystem" in url.query and not cloud.storage.paths(account, container):
        for number in range(5):
            cloud.storage._store((account, container, f"d{number}"), StoredFile(directory=True))
            cloud.storage.write(account, container, f"d{number}/file", b"x")
    if "comp=list" in url.query and (account, container) not in {key[:2] for key in files}:
        cloud.storage.write(
            account, container, unquote(dict_of(exchange).get("prefix", "")) + "f", b"x"
        )
    if "action=flush" in url.query:
        exchange["url"] = re.sub(
            r"position=\d+", f"position={appended(cloud, exchange)}", exchange["url"]
        )


def appended(cloud: Cloud, exchange: dict[str, Any]) -> int:
    """How many bytes wait for the flush."""
    file = cloud.storage.files[key_of(exchange)]
    return sum(len(data) for data in file.pending.values())


def add_file(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Put a file where the recording found one."""
    cloud.storage.write(*key_of(exchange), b"x")


def key_of(exchange: dict[str, Any]) -> tuple[str, str, str]:
    """Account, container and path of a request to storage."""
    url = urlsplit(exchange["url"])
    container, _, path = unquote(url.path).lstrip("/").partition("/")
    return url.netloc.split(".")[0], container, path


def linked_services(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The link of the lab in place of the recorded kind."""
    if exchange["method"] == "PUT":
        reference = {"type": "IntegrationRuntimeReference", "referenceName": "AutoResolve"}
        exchange["body"] = {
            "properties": {
                "type": "AzureMLService",
                "description": "d",
                "typeProperties": _LINK,
                "connectVia": reference,
            }
        }


def synapse_roles(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Our client says what kind of principal it is."""
    if exchange["method"] == "PUT":
        exchange["body"]["principalType"] = "ServicePrincipal"


def spark_pool(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """The cloud's one pool has the recorded name."""
    name = segment_after(exchange, "bigDataPools")
    if name and exchange["status"] == 200:
        exchange["url"] = exchange["url"].replace(
            f"/bigDataPools/{name}", "/bigDataPools/sparkpool"
        )


def nothing(cloud: Cloud, exchange: dict[str, Any]) -> None:
    """Nothing needs to be there."""


ARRANGEMENTS = {
    "aml-compute": aml_compute,
    "aml-datastores": aml_datastores,
    "aml-job-cancel": job_cancel,
    "aml-models": aml_models,
    "aml-run-history": aml_jobs,
    "aml-spark-job": aml_jobs,
    "aml-workspace": aml_workspace,
    "arm-deployment-errors": failed_deployment,
    "arm-deployments": deployments,
    "arm-resource-group": resource_groups,
    "arm-role-assignments": role_assignments,
    "automl-classification-job": automl_jobs,
    "automl-regression-job": automl_jobs,
    "livy-batch-lifecycle": livy_batches,
    "livy-batch-list": livy_batches,
    "livy-batch-pages": livy_batches,
    "livy-sessions-statements": livy_sessions,
    "sql-pool": sql_pool,
    "storage-blob": storage,
    "storage-dfs": storage,
    "synapse-linked-services": linked_services,
    "synapse-role-assignments": synapse_roles,
    "synapse-workspace-arm": spark_pool,
}


def segment_after(exchange: dict[str, Any], word: str) -> str:
    """The segment of a request's path behind a word; empty where there is none."""
    found = re.search(rf"/{word}/([^/?]+)", urlsplit(exchange["url"]).path)
    return unquote(found[1]) if found else ""


def dict_of(exchange: dict[str, Any]) -> dict[str, str]:
    """The query of a request."""
    pairs = (part.partition("=") for part in urlsplit(exchange["url"]).query.split("&"))
    return {name: value for name, _, value in pairs}
