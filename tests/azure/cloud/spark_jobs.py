"""Spark jobs of Azure ML, which run for real, and the code that they are submitted with."""

from __future__ import annotations

import shlex
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, route
from tests.azure.cloud.livy import run_batch
from tests.azure.cloud.machine_learning import (
    ACCOUNT,
    ARM,
    CANCELED,
    JOBS,
    REGION,
    STORES,
    WORKSPACE,
    MachineLearning,
    user_error,
)
from tests.azure.cloud.recorded import like
from tests.azure.cloud.storage import Storage

CODE = WORKSPACE + r"/codes/(?P<code>[^/]+)/versions"
CODES = "2023-04-01", "2023-04-01-preview", "2023-08-01-preview"
SPARK = "2023-04-01-preview"
QUEUED_SECONDS, RUN_SECONDS = 90, 180
#: The only machines and runtimes that are served.
MACHINES, RUNTIMES = ("standard_e4s_v3",), ("3.5",)


@dataclass
class SparkJob:
    """One job: the request's properties, and what came of it."""

    name: str
    properties: dict[str, Any]
    started: float
    status: str = "NotStarted"
    error: str = ""


class SparkJobs:
    """Takes the calls about jobs: those of Spark are its own, all others are passed on."""

    def __init__(self, clock: Clock, storage: Storage, others: MachineLearning) -> None:
        self.jobs: dict[str, SparkJob] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.attached = {"synapsespark"}
        """Names of the attached pools."""
        self._clock = clock
        self._storage = storage
        self._others = others

    @route("PUT", ARM, WORKSPACE + r"/jobs/(?P<name>[^/]+)", *JOBS, SPARK)
    def create_job(self, request: Request) -> Response:
        properties = request.json["properties"]
        if properties.get("jobType") != "Spark":
            return self._others.create_job(request)
        name = request.match["name"]
        if name in self.jobs:
            return user_error(409, f"A job with the name {name} exists already.")
        compute = str(properties.get("computeId") or "").rpartition("/")[2]
        machine = properties.get("resources") or {}
        if compute not in self.attached and (
            machine.get("instanceType") not in MACHINES
            or machine.get("runtimeVersion") not in RUNTIMES
        ):
            return user_error(400, "A Spark job needs an attached pool, or machines and a runtime.")
        if properties["identity"]["identityType"] != "UserIdentity":
            return user_error(404, "The identity is not attached to the workspace.")
        self.jobs[name] = SparkJob(name, properties, self._clock.now())
        body = self._body(request, self.jobs[name])
        return answer(body, 201, Location=f"https://management.azure.com{request.path}")

    @route("GET", ARM, WORKSPACE + r"/jobs/(?P<name>[^/]+)", *JOBS, SPARK)
    def get_job(self, request: Request) -> Response:
        job = self.jobs.get(request.match["name"])
        if job is None:
            return self._others.get_job(request)
        self._advance(job)
        return answer(self._body(request, job))

    @route("POST", ARM, WORKSPACE + r"/jobs/(?P<name>[^/]+)/cancel", "2023-04-01-preview")
    def cancel_job(self, request: Request) -> Response:
        job = self.jobs.get(request.match["name"])
        if job is None:
            return self._others.cancel_job(request)
        job.status = "Canceled"
        address = (
            f"https://management.azure.com/subscriptions/{request.path.split('/')[2]}/providers/"
            f"Microsoft.MachineLearningServices/locations/{REGION}/mfeOperationResults/"
            f"jc:workspace:{job.name}?api-version={request.api_version}"
        )
        return Response(202, b"", {"Location": address})

    @route("GET", ARM, CANCELED, "2023-04-01-preview")
    def canceled(self, request: Request) -> Response:
        if request.match["job"] in self.jobs:
            return Response(200)
        return self._others.canceled(request)

    # Code.

    @route("GET", ARM, CODE, *CODES)
    def list_code(self, request: Request) -> Response:
        return answer({"value": []})

    @route("POST", ARM, CODE + r"/(?P<version>[^/]+)/startPendingUpload", *CODES)
    def start_upload(self, request: Request) -> Response:
        # Each asset has a container of its own.
        folder = f"https://{ACCOUNT}.blob.core.windows.net/code-{request.match['version']}"
        reference = {
            "blobUri": folder,
            "storageAccountArmId": "s",
            "credential": {"credentialType": "SAS", "sasUri": f"{folder}?sig=s&se=2099-01-01"},
        }
        return answer(
            {
                "pendingUploadId": str(uuid.uuid4()),
                "pendingUploadType": "TemporaryBlobReference",
                "blobReferenceForConsumption": reference,
            }
        )

    @route("PUT", ARM, CODE + r"/(?P<version>[^/]+)", *CODES)
    def put_code(self, request: Request) -> Response:
        id_ = request.path
        self.codes[id_] = request.json["properties"]
        own = {
            "id": id_,
            "name": request.match["version"],
            "type": "Microsoft.MachineLearningServices/workspaces/codes/versions",
            "properties": self.codes[id_],
        }
        call = "PUT management.azure.com{ws}/codes/{name}/versions/{name} 201"
        body = like("aml-spark-job", call, own)
        return answer(body, 201, Location=f"https://management.azure.com{id_}")

    def _advance(self, job: SparkJob) -> None:
        age = self._clock.now() - job.started
        if job.status in ("NotStarted", "Queued") and age >= QUEUED_SECONDS:
            job.status = "Running"
        if job.status == "Running" and age >= RUN_SECONDS:
            job.error = self._run(job)
            job.status = "Failed" if job.error else "Completed"
            log = f"ExperimentRun/dcid.{job.name}/logs/azureml/driver/stdout"
            text = job.error or "The table is made."
            self._storage.write(ACCOUNT, STORES["workspaceartifactstore"], log, text.encode())

    def _run(self, job: SparkJob) -> str:
        """Run the uploaded code as the pool of Livy does, on the lake that its arguments name."""
        arguments = shlex.split(job.properties["args"])
        lake = urlsplit(arguments[0])
        account, container = str(lake.hostname).split(".")[0], str(lake.username)
        folder = self.codes[job.properties["codeId"]]["codeUri"].rpartition("/")[2]
        names = [job.properties["entry"]["file"], *job.properties["pyFiles"]]
        urls = []
        for name in names:
            [content] = [
                file.content
                for (_, place, path), file in self._storage.files.items()
                if place.startswith("code-") and f"{place}/{path}".endswith(f"{folder}/{name}")
            ]
            self._storage.write(account, container, f"azureml-code/{job.name}/{name}", content)
            urls.append(f"abfss://{lake.netloc}/azureml-code/{job.name}/{name}")
        options = {"file": urls[0], "pyFiles": urls[1:], "args": arguments}
        return run_batch(self._storage, options)

    def _body(self, request: Request, job: SparkJob) -> dict[str, Any]:
        workspace = request.match["workspace"]
        short = workspace.replace("/providers/Microsoft.MachineLearningServices", "")
        service = dict.fromkeys(("port", "status", "errorMessage", "properties", "nodes"))
        studio = f"https://ml.azure.com/runs/{job.name}?wsid={short}"
        return {
            "id": f"{workspace}/jobs/{job.name}",
            "name": job.name,
            "type": "Microsoft.MachineLearningServices/workspaces/jobs",
            "properties": {
                **job.properties,
                "description": None,
                "properties": {"errors": job.error} if job.error else {},
                "status": job.status,
                "services": {"Studio": {**service, "jobServiceType": "Studio", "endpoint": studio}},
            },
            "systemData": {
                "createdAt": self._clock.text(),
                "createdBy": "somebody",
                "createdByType": "User",
            },
        }
