"""Azure ML: the workspace, AutoML jobs, run history, datastores and models."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, route
from tests.azure.cloud.storage import Storage

ARM = r"management\.azure\.com"
REGION = "westeurope"
API = rf"{REGION}\.api\.azureml\.ms"
WORKSPACE = (
    r"(?P<workspace>/subscriptions/[^/]+/resourceGroups/[^/]+"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+)"
)
JOBS = "2023-02-01-preview", "2024-01-01-preview"
MODELS = ("2023-08-01-preview",)
ACCOUNT = "mlstorage"
STORES = {"workspaceblobstore": "azureml-blobstore", "workspaceartifactstore": "azureml"}
KEY = "dGhpcyBpcyBub3QgYSByZWFsIGtleQ=="
DISCOVERED = "api experimentation history hyperdrive mlflow modelmanagement pipelines studio"
IDENTITY = "77777777-7777-7777-7777-777777777777"
QUEUED_SECONDS, RUN_SECONDS = 60, 600


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
        self.models: dict[str, dict[int, dict[str, Any]]] = {}
        self.trainer = trainer
        self._clock = clock
        self._storage = storage
        self._numbers = itertools.count(1)

    # The workspace and its datastores.

    @route("GET", ARM, WORKSPACE, "2024-10-01-preview", "2023-08-01-preview", "2022-05-01")
    def workspace(self, request: Request) -> Response:
        workspace = request.match["workspace"]
        return answer(
            {
                "id": workspace,
                "name": workspace.rpartition("/")[2],
                "location": REGION,
                "identity": {"type": "SystemAssigned", "principalId": IDENTITY, "tenantId": "t"},
                "properties": {
                    "discoveryUrl": f"https://{REGION}.api.azureml.ms/discovery",
                    "workspaceId": "44444444-4444-4444-4444-444444444444",
                },
            }
        )

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
        return answer(self._datastore(request.match["workspace"], request.match["name"]))

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
                "tags": None,
                "properties": None,
                "isDefault": name == "workspaceblobstore",
                "credentials": {"credentialsType": "AccountKey"},
                "datastoreType": "AzureBlob",
                "accountName": ACCOUNT,
                "containerName": STORES[name],
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
            return arm_error(409, "Conflict", f"A job with the name {name} exists already.")
        task = properties["taskDetails"]
        if properties["jobType"] != "AutoML" or task["taskType"] != "Regression":
            return arm_error(400, "UserError", "Only regression by AutoML is served here.")
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
            return answer({"id": f"{workspace}/jobs/{name}", "name": name, "properties": None})
        return arm_error(404, "UserError", f"RunId {name} was not found")

    @route("POST", ARM, WORKSPACE + r"/jobs/(?P<name>[^/]+)/cancel", "2023-04-01-preview")
    def cancel_job(self, request: Request) -> Response:
        job = self.jobs.get(request.match["name"])
        if job is None:
            return arm_error(404, "UserError", "RunId was not found")
        self._advance(job)
        if job.status not in ("Completed", "Failed", "Canceled"):
            job.status = "CancelRequested"
        return answer({}, 202, Location=f"https://management.azure.com{request.path}/operation")

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
        for trial, model in trained:
            self._print(trial.name, f"Training {trial.algorithm}\nThe score is {trial.score}\n")
            job.trials.append(trial)
            if model is not None:
                path = f"ExperimentRun/dcid.{trial.name}/outputs/model.onnx"
                self._storage.write(ACCOUNT, STORES["workspaceartifactstore"], path, model)

    def _print(self, run: str, text: str) -> None:
        """What a run prints is an artifact of it."""
        path = f"ExperimentRun/dcid.{run}/user_logs/std_log.txt"
        self._storage.write(ACCOUNT, STORES["workspaceartifactstore"], path, text.encode())

    def _job(self, workspace: str, job: Job) -> dict[str, Any]:
        asked = job.properties
        short = workspace.replace("/providers/Microsoft.MachineLearningServices", "")
        service = {"port": None, "status": None, "errorMessage": None, "properties": None}
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
                "jobType": "AutoML",
                "resources": {"instanceCount": 1, "shmSize": "2g"},
                "taskDetails": {
                    **task,
                    "trainingData": {**task["trainingData"], "mode": "ReadOnlyMount"},
                    "trainingSettings": training | task.get("trainingSettings", {}),
                },
                "outputs": {},
                "queueSettings": {"jobTier": "Standard", "priority": None},
            },
            "systemData": self._system_data(),
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
        return arm_error(404, "UserError", f"Run {request.match['name']} was not found")

    @route("POST", API, rf"/history/v1\.0{WORKSPACE}/rundata", "v1.0")
    def run_data(self, request: Request) -> Response:
        return answer({"runMetadata": {"runId": request.json["runId"], "outputs": {}}})

    def _run(self, job: Job, trial: Trial) -> dict[str, Any]:
        return {
            "runId": trial.name,
            "parentRunId": job.name,
            "rootRunId": job.name,
            "experimentId": job.properties.get("experimentName"),
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
            "outputs": {},
        }

    # Models.

    @route("GET", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)", *MODELS)
    def model(self, request: Request) -> Response:
        versions = self.models.get(request.match["name"])
        if not versions:
            return arm_error(404, "UserError", "The model container was not found")
        properties = {"latestVersion": str(max(versions)), "nextVersion": str(max(versions) + 1)}
        name, identity = request.match["name"], f"https://management.azure.com{request.path}"
        return answer({"id": identity, "name": name, "properties": properties})

    @route("GET", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)/versions", *MODELS)
    def model_versions(self, request: Request) -> Response:
        found = self.models.get(request.match["name"])
        if not found:
            return arm_error(404, "UserError", "The model container was not found")
        newest = sorted(found.items(), reverse=True)
        top = int(request.query.get("$top", len(newest)))
        return answer({"value": [body for _, body in newest[:top]]})

    @route("GET", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)/versions/(?P<v>[^/]+)", *MODELS)
    def model_version(self, request: Request) -> Response:
        found = self.models.get(request.match["name"], {}).get(int(request.match["v"]))
        return answer(found) if found else arm_error(404, "UserError", "Not found")

    @route("PUT", ARM, WORKSPACE + r"/models/(?P<name>[^/]+)/versions/(?P<v>[^/]+)", *MODELS)
    def put_model_version(self, request: Request) -> Response:
        versions = self.models.setdefault(request.match["name"], {})
        number, asked = int(request.match["v"]), request.json["properties"]
        before = versions.get(number)
        if before and before["properties"]["modelUri"] != asked["modelUri"]:
            return arm_error(409, "UserError", "A model with this name and version already exists.")
        created = before["systemData"] if before else self._system_data()
        versions[number] = {
            "id": request.path,
            "name": str(number),
            "type": "Microsoft.MachineLearningServices/workspaces/models/versions",
            "properties": {"flavors": {}, "description": None, **asked},
            "systemData": created,
        }
        return answer(versions[number], 200 if before else 201)

    def _system_data(self) -> dict[str, str]:
        now = self._clock.text()
        who = {"createdBy": "somebody", "createdByType": "Application"}
        return {"createdAt": now, "lastModifiedAt": now, **who}
