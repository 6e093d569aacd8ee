"""Azure ML: the workspace, AutoML jobs, run history, datastores and models."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, route
from tests.azure.cloud.recorded import like
from tests.azure.cloud.storage import Storage

ARM = r"management\.azure\.com"
REGION = "westeurope"
API = rf"{REGION}\.api\.azureml\.ms"
WORKSPACE = (
    r"(?P<workspace>/subscriptions/[^/]+/resourceGroups/[^/]+"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+)"
)
CANCELED = (
    r"/subscriptions/[^/]+/providers/Microsoft\.MachineLearningServices/locations/[^/]+"
    r"/mfeOperationResults/jc:[^:]+:(?P<job>[^/]+)"
)
JOBS = "2023-02-01-preview", "2024-01-01-preview"
MODELS = ("2023-08-01-preview",)
ACCOUNT = "mlstorage"
STORES = {"workspaceblobstore": "azureml-blobstore", "workspaceartifactstore": "azureml"}
KEY = "dGhpcyBpcyBub3QgYSByZWFsIGtleQ=="
DISCOVERED = (
    "api catalog experimentation gallery history hyperdrive labeling modelmanagement pipelines "
    "quota-manager studio"
)
IDENTITY = "77777777-7777-7777-7777-777777777777"
#: The type of an answer that has none.
NO_BODY = {"Content-Type": "application/json; charset=utf-8"}
QUEUED_SECONDS, RUN_SECONDS = 60, 600


#: What the service adds to an AutoML task.
TASK = (
    "cvSplitColumnNames featurizationSettings fixedParameters nCrossValidations searchSpace "
    "sweepSettings testData testDataSize validationData validationDataSize weightColumnName"
).split()
LIMITS = {
    "enableEarlyTermination": True,
    "exitScore": None,
    "maxConcurrentTrials": 1,
    "maxCoresPerTrial": -1,
    "maxNodes": 1,
    "maxTrials": 1000,
    "sweepConcurrentTrials": 0,
    "sweepTrials": 0,
    "timeout": "PT6H",
    "trialTimeout": "PT30M",
}


class Unreadable(Exception):
    """The job cannot read its data."""


@dataclass
class Trial:
    """One child run of an AutoML job."""

    name: str
    algorithm: str
    score: float | str


@dataclass
class Job:
    """One AutoML job: the request's properties, and what came of it."""

    name: str
    properties: dict[str, Any]
    started: float
    status: str = "NotStarted"
    trials: list[Trial] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    run_properties: dict[str, str] = field(default_factory=dict)


#: Trains: given the job, returns each trial and its model (None for a trial without one).
Trainer = Callable[[Job], list[tuple[Trial, bytes | None]]]


class MachineLearning:
    """Jobs go from NotStarted by the clock to Completed, where `trainer` says what they made."""

    def __init__(self, clock: Clock, storage: Storage, trainer: Trainer) -> None:
        self.jobs: dict[str, Job] = {}
        self.models: dict[str, dict[str, dict[str, Any]]] = {}
        """Versions by model and by the text that names them, in the order of their creation."""
        self.stores = dict(STORES)
        self.exists = True
        self.registry: str | None = None
        self.names_best = True
        """Whether a finished job has the tag of its best trial, as recorded ones have."""
        self.trainer = trainer
        self._clock = clock
        self._storage = storage
        self._numbers = itertools.count(1)

    # The workspace and its datastores.

    @route("GET", ARM, WORKSPACE, "2024-10-01-preview", "2023-08-01-preview", "2022-05-01")
    def workspace(self, request: Request) -> Response:
        workspace = request.match["workspace"]
        if not self.exists:
            return arm_error(404, "ResourceNotFound", f"The Resource '{workspace}' was not found.")
        own = {
            "id": workspace,
            "name": workspace.rpartition("/")[2],
            "type": "Microsoft.MachineLearningServices/workspaces",
            "location": REGION,
            "identity": {"type": "SystemAssigned", "principalId": IDENTITY, "tenantId": "t"},
            "tags": {},
            "properties": {
                "discoveryUrl": f"https://{REGION}.api.azureml.ms/discovery",
                "workspaceId": "44444444-4444-4444-4444-444444444444",
                **({"containerRegistry": self.registry} if self.registry else {}),
            },
        }
        return answer(like("aml-workspace", "GET management.azure.com{ws} 200", own))

    @route("GET", API, r"/discovery")
    def discovery(self, request: Request) -> Response:
        base = f"https://{REGION}.api.azureml.ms"
        return answer(dict.fromkeys(DISCOVERED.split(), base))

    @route("GET", ARM, WORKSPACE + r"/datastores", "2024-10-01-preview")
    def default_datastore(self, request: Request) -> Response:
        workspace = request.match["workspace"]
        return answer({"value": [self._datastore(workspace, "workspaceblobstore")]})

    @route("GET", ARM, WORKSPACE + r"/datastores/(?P<name>[^/]+)", "2024-10-01-preview")
    def datastore(self, request: Request) -> Response:
        name = request.match["name"]
        if name not in self.stores:
            return user_error(404, f"Could not find datastore: {name}.")
        return answer(self._datastore(request.match["workspace"], name))

    @route("POST", ARM, WORKSPACE + r"/datastores/[^/]+/listSecrets", "2024-10-01-preview")
    def secrets(self, request: Request) -> Response:
        return answer({"secretsType": "AccountKey", "key": KEY})

    def _datastore(self, workspace: str, name: str) -> dict[str, Any]:
        return {
            "id": f"{workspace}/datastores/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/datastores",
            "properties": {
                "description": None,
                "tags": {},
                "properties": None,
                "isDefault": name == "workspaceblobstore",
                "credentials": {"credentialsType": "AccountKey"},
                "datastoreType": "AzureBlob",
                "accountName": ACCOUNT,
                "containerName": self.stores[name],
                "endpoint": "core.windows.net",
                "protocol": "https",
                "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
            },
            "systemData": self._system_data(),
        }

    # Jobs.

    @route("PUT", ARM, WORKSPACE + r"/jobs/(?P<name>[^/]+)", *JOBS)
    def create_job(self, request: Request) -> Response:
        name, properties = request.match["name"], request.json["properties"]
        if name in self.jobs:
            return user_error(409, f"A job with the name {name} exists already.")
        task = properties["taskDetails"]
        if properties["jobType"] != "AutoML" or task["taskType"] != "Regression":
            return user_error(400, "Only regression by AutoML is served here.")
        self.jobs[name] = Job(name, properties, self._clock.now(), tags=properties.get("tags", {}))
        body = self._job(request.match["workspace"], self.jobs[name])
        return answer(body, 201, Location=f"https://management.azure.com{request.path}")

    @route("GET", ARM, WORKSPACE + r"/jobs/(?P<name>[^/]+)", *JOBS)
    def get_job(self, request: Request) -> Response:
        name, workspace = request.match["name"], request.match["workspace"]
        if job := self.jobs.get(name):
            self._advance(job)
            return answer(self._job(workspace, job))
        if any(trial.name == name for job in self.jobs.values() for trial in job.trials):
            # The service answers without a key `properties`.
            return answer(
                {
                    "id": f"{workspace}/jobs/{name}",
                    "name": name,
                    "type": "Microsoft.MachineLearningServices/workspaces/jobs",
                    "systemData": created(self._system_data()),
                }
            )
        return user_error(404, f"RunId {name} was not found")

    @route("POST", ARM, WORKSPACE + r"/jobs/(?P<name>[^/]+)/cancel", "2023-04-01-preview")
    def cancel_job(self, request: Request) -> Response:
        name = request.match["name"]
        job = self.jobs.get(name)
        if job is None:
            return user_error(404, f"RunId {name} was not found")
        self._advance(job)
        if job.status not in ("Completed", "Failed", "Canceled"):
            job.status = "CancelRequested"
        subscription = request.path.split("/")[2]
        address = (
            f"https://management.azure.com/subscriptions/{subscription}/providers/Microsoft."
            f"MachineLearningServices/locations/{REGION}/mfeOperationResults/jc:workspace:{name}"
            f"?api-version={request.api_version}"
        )
        return Response(202, b"", {"Location": address, **NO_BODY})

    @route("GET", ARM, CANCELED, "2023-04-01-preview")
    def canceled(self, request: Request) -> Response:
        """Whether a cancellation is done: without a body either way."""
        job = self.jobs.get(request.match["job"])
        if job is None:
            return user_error(404, "There is no such operation.")
        self._advance(job)
        if job.status == "CancelRequested":
            address = f"https://{request.host}{request.path}?api-version={request.api_version}"
            return Response(202, b"", {"Location": address, **NO_BODY})
        return Response(200)

    def _advance(self, job: Job) -> None:
        age = self._clock.now() - job.started
        if job.status == "CancelRequested":
            job.status = "Canceled" if age > QUEUED_SECONDS else job.status
        elif job.status in ("NotStarted", "Queued", "Running"):
            if age >= RUN_SECONDS:
                self._complete(job)
            elif age >= QUEUED_SECONDS:
                job.status = "Running"

    def _complete(self, job: Job) -> None:
        try:
            trained = self.trainer(job)
        except Unreadable as error:
            job.status, job.run_properties["errors"] = "Failed", "Error occurred in a child run"
            self._print(f"{job.name}_setup", f"Traceback ...\nUserError: {error}\n")
            return
        job.status = "Completed"
        scores: dict[str, float] = {}
        for trial, model in trained:
            self._print(trial.name, f"Training {trial.algorithm}\nThe score is {trial.score}\n")
            job.trials.append(trial)
            score = float(trial.score)
            if score == score:
                scores[trial.name] = score
            if model is not None:
                path = f"ExperimentRun/dcid.{trial.name}/outputs/model.onnx"
                self._storage.write(ACCOUNT, STORES["workspaceartifactstore"], path, model)
        if scores and self.names_best:
            job.tags.setdefault("automl_best_child_run_id", max(scores, key=scores.__getitem__))

    def _print(self, run: str, text: str) -> None:
        """What a run prints is an artifact of it."""
        path = f"ExperimentRun/dcid.{run}/user_logs/std_log.txt"
        self._storage.write(ACCOUNT, STORES["workspaceartifactstore"], path, text.encode())

    def _job(self, workspace: str, job: Job) -> dict[str, Any]:
        asked = job.properties
        short = workspace.replace("/providers/Microsoft.MachineLearningServices", "")
        service = dict.fromkeys(("port", "status", "errorMessage", "properties", "nodes"))
        tracking = f"azureml://{REGION}.api.azureml.ms/mlflow/v1.0{workspace}?"
        studio = f"https://ml.azure.com/runs/{job.name}?wsid={short}"
        task = asked["taskDetails"]
        training = {
            "enableOnnxCompatibleModels": False,
            "stackEnsembleSettings": None,
            "enableStackEnsemble": True,
            "enableVoteEnsemble": True,
            "ensembleModelDownloadTimeout": "PT5M",
            "enableModelExplainability": True,
            "enableDnnTraining": False,
            "trainingMode": "Auto",
            "allowedTrainingAlgorithms": None,
            "blockedTrainingAlgorithms": None,
        }
        return {
            "id": f"{workspace}/jobs/{job.name}",
            "name": job.name,
            "type": "Microsoft.MachineLearningServices/workspaces/jobs",
            "properties": {
                "description": None,
                "tags": job.tags,
                "properties": job.run_properties,
                "displayName": asked.get("displayName"),
                "status": job.status,
                "experimentName": asked.get("experimentName"),
                "services": {
                    "Tracking": {**service, "jobServiceType": "Tracking", "endpoint": tracking},
                    "Studio": {**service, "jobServiceType": "Studio", "endpoint": studio},
                },
                "computeId": asked.get("computeId") or f"{workspace}/computes/",
                "isArchived": False,
                "identity": None,
                "componentId": None,
                "environmentId": None,
                "environmentVariables": None,
                "notificationSetting": None,
                "jobType": "AutoML",
                "resources": {
                    "dockerArgs": None,
                    "instanceCount": 1,
                    "instanceType": None,
                    "locations": None,
                    "properties": None,
                    "shmSize": "2g",
                },
                "taskDetails": {
                    **dict.fromkeys(TASK),
                    "limitSettings": LIMITS | task.get("limitSettings", {}),
                    **{name: value for name, value in task.items() if name != "limitSettings"},
                    "trainingData": {
                        "description": None,
                        **task["trainingData"],
                        "mode": "ReadOnlyMount",
                    },
                    "trainingSettings": training | task.get("trainingSettings", {}),
                },
                "outputs": {},
                "queueSettings": {"jobTier": "Standard", "priority": None},
            },
            "systemData": created(self._system_data()),
        }

    # Run history.

    @route("GET", API, rf"/history/v1\.0{WORKSPACE}/runs/(?P<name>[^/]+)/children", "v1.0")
    def children(self, request: Request) -> Response:
        job = self.jobs[request.match["name"]]
        return answer({"value": [self._run(job, trial) for trial in job.trials]})

    @route("GET", API, rf"/history/v1\.0{WORKSPACE}/runs/(?P<name>[^/]+)", "v1.0")
    def run(self, request: Request) -> Response:
        for job in self.jobs.values():
            for trial in job.trials:
                if trial.name == request.match["name"]:
                    return answer(self._run(job, trial))
        return user_error(404, f"Run {request.match['name']} was not found")

    @route("POST", API, rf"/history/v1\.0{WORKSPACE}/rundata", "v1.0")
    def run_data(self, request: Request) -> Response:
        name = request.json["runId"]
        runs = [
            self._run(job, t) for job in self.jobs.values() for t in job.trials if t.name == name
        ]
        metadata = runs[0] | {"actionUris": {"Cancel": None, "Diagnose": None}}
        body = dict.fromkeys(("jobSpecification", "runDefinition", "systemSettings"))
        return answer({**body, "runMetadata": metadata})

    def _run(self, job: Job, trial: Trial) -> dict[str, Any]:
        own = {
            "runId": trial.name,
            "parentRunId": job.name,
            "rootRunId": job.name,
            "status": "Completed",
            "displayName": trial.name,
            "createdUtc": self._clock.text(),
            "tags": {},
            "properties": {
                "score": str(trial.score),
                "run_algorithm": trial.algorithm,
                "run_preprocessor": "StandardScalerWrapper",
                "primary_metric": "spearman_correlation",
            },
        }
        call = "GET {region}.api.azureml.ms/history/v1.0{ws}/runs/{name} 200"
        run: dict[str, Any] = like("aml-run-history", call, own, inner="")
        return run

    # Models.

    @route("GET", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)", *MODELS)
    def model(self, request: Request) -> Response:
        name = request.match["name"]
        versions = self.models.get(name)
        if not versions:
            return no_model(name)
        numbers = [int(version) for version in versions if version.isdecimal()]
        properties = {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": False,
            "latestVersion": list(versions)[-1],
            "nextVersion": str(max(numbers, default=0) + 1),
        }
        return answer(
            {
                "id": request.path,
                "name": name,
                "type": "Microsoft.MachineLearningServices/workspaces/models",
                "properties": properties,
                "systemData": self._system_data(),
            }
        )

    @route("GET", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)/versions", *MODELS)
    def model_versions(self, request: Request) -> Response:
        found = self.models.get(request.match["name"])
        if not found:
            return no_model(request.match["name"])
        every = request.query.get("listViewType") == "All"
        newest = [
            body
            for body in reversed(found.values())
            if every or not body["properties"].get("isArchived")
        ]
        return answer({"value": newest[: int(request.query.get("$top", len(newest)))]})

    @route("GET", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)/versions/(?P<v>[^/]+)", *MODELS)
    def model_version(self, request: Request) -> Response:
        found = self.models.get(request.match["name"], {}).get(request.match["v"])
        return answer(found) if found else no_model(request.match["name"])

    @route("PUT", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)/versions/(?P<v>[^/]+)", *MODELS)
    def put_model_version(self, request: Request) -> Response:
        versions = self.models.setdefault(request.match["name"], {})
        number, asked = request.match["v"], request.json["properties"]
        before = versions.get(number)
        address, job = resolved(asked["modelUri"], request.match["workspace"])
        if before and before["properties"]["modelUri"] != address:
            return user_error(409, "A model with this name and version already exists.")
        created = before["systemData"] if before else self._system_data()
        always = {"description": None, "flavors": {}, "isAnonymous": False, "isArchived": False}
        versions[number] = {
            "id": request.path,
            "name": number,
            "type": "Microsoft.MachineLearningServices/workspaces/models/versions",
            "properties": {**always, **asked, "modelUri": address, "jobName": job},
            "systemData": created,
        }
        if before:
            return answer(versions[number])
        return answer(versions[number], 201, Location=f"https://{request.host}{request.path}")

    def _system_data(self) -> dict[str, str]:
        now = self._clock.text()
        return {
            "createdAt": now,
            "createdBy": "somebody",
            "createdByType": "Application",
            "lastModifiedAt": now,
            "lastModifiedBy": "somebody",
            "lastModifiedByType": "Application",
        }


def resolved(address: str, workspace: str) -> tuple[str, str | None]:
    """What the service makes of a model's address: the place of the file, and the job that made it.

    A job's output becomes its place in the artifact store; a short address of a datastore a long
    one.
    """
    _, subscription, _, group, *_, name = workspace.strip("/").split("/")
    home = f"azureml://subscriptions/{subscription}/resourceGroups/{group}/workspaces/{name}"
    found = re.fullmatch(r"(?:azureml://jobs/|runs:/)([^/]+)(?:/outputs/artifacts)?(.*)", address)
    if found:
        place = f"ExperimentRun/dcid.{found[1]}/{found[2].strip('/')}"
        return f"{home}/datastores/workspaceartifactstore/paths/{place}", found[1]
    store = re.fullmatch(r"azureml://(?:subscriptions/.*/)?datastores/(.+)", address)
    return (f"{home}/datastores/{store[1]}" if store else address), None


def created(system_data: dict[str, str]) -> dict[str, str]:
    """What a job's system data is: who made it, and when."""
    return {name: value for name, value in system_data.items() if name.startswith("created")}


def user_error(status: int, message: str, *details: dict[str, Any]) -> Response:
    """An error as Azure ML answers it."""
    origin: list[dict[str, Any]] = [
        {"type": "ComponentName", "info": {"value": "managementfrontend"}},
        {"type": "Correlation", "info": {"value": {"operation": "1", "request": "2"}}},
        {"type": "Environment", "info": {"value": REGION}},
    ]
    error = {"code": "UserError", "message": message, "details": [*details]}
    return answer({"error": {**error, "additionalInfo": origin}}, status)


def no_model(name: str) -> Response:
    """The answer for a model, or a version, that is not there."""
    told = f"Model container with name: {name} not found."
    detail = {"code": "ModelNotFound", "message": told, "details": [], "additionalInfo": []}
    return user_error(404, "The specified resource was not found.", detail)
