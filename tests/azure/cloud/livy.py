"""A Synapse Spark pool: Livy batches that run for real, on an embedded Spark server."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, route
from tests.azure.cloud.storage import Storage

HOST = r"[a-z0-9-]+\.dev\.azuresynapse\.net"
SUBMITTER = "33333333-3333-3333-3333-333333333333"
BATCHES = r"/livyApi/versions/2019-11-01-preview/sparkPools/(?P<pool>[^/]+)/batches"
START_SECONDS, RUN_SECONDS = 90, 180
PAGE = 20
PHASES = ("notStarted", "starting", "running", "dead", "success", "killed", "recovering")


@dataclass
class Batch:
    """One batch; it runs when its time has come and somebody looks."""

    id: int
    options: dict[str, Any]
    started: float
    state: str = "not_started"
    result: str = "Uncertain"
    log: list[str] | None = None
    """What its driver printed last; None before it starts."""
    hidden: bool = False
    """Not in the list, whatever its age."""
    times: dict[str, str] = field(default_factory=dict)
    """When it came into a state, and when it was submitted and asked to end."""


class Livy:
    """Batches of any pool. As the real one, it takes a name twice."""

    def __init__(self, clock: Clock, storage: Storage) -> None:
        self.batches: list[Batch] = []
        self.listing_lag = 0.0
        """Seconds until a new batch is in the list."""
        self._clock = clock
        self._storage = storage
        self._ids = itertools.count()

    @route("POST", HOST, BATCHES)
    def submit(self, request: Request) -> Response:
        options = request.json
        if not options.get("name") or not options.get("file"):
            return arm_error(400, "BadRequest", "name and file are required")
        batch = self.add(options)
        return self._shown(request, batch)

    def add(self, options: dict[str, Any]) -> Batch:
        """Take a batch from within the cloud."""
        batch = Batch(next(self._ids), options, self._clock.now())
        batch.times["submitted"] = self._clock.text()
        self.batches.append(batch)
        return batch

    @route("GET", HOST, BATCHES + r"/(?P<id>\d+)")
    def get(self, request: Request) -> Response:
        for batch in self.batches:
            if batch.id == int(request.match["id"]):
                self._advance(batch)
                return self._shown(request, batch)
        return arm_error(404, "NotFound", "no such batch")

    @route("GET", HOST, BATCHES)
    def list(self, request: Request) -> Response:
        first, size = int(request.query.get("from", 0)), int(request.query.get("size", PAGE))
        for batch in self.batches:
            self._advance(batch)
        now = self._clock.now()
        listed = [b for b in self.batches if now - b.started >= self.listing_lag and not b.hidden]
        shown = [self._body(b, request) for b in listed[first : first + min(size, PAGE)]]
        return answer({"from": first, "total": len(shown), "sessions": shown})

    @route("DELETE", HOST, BATCHES + r"/(?P<id>\d+)")
    def cancel(self, request: Request) -> Response:
        for batch in self.batches:
            if batch.id == int(request.match["id"]):
                state = "error" if batch.state == "not_started" else "killed"
                batch.times["cancellationRequested"] = self._clock.text()
                self._end(batch, state, "Cancelled")
                return Response(200)
        return arm_error(404, "NotFound", "no such batch")

    def _advance(self, batch: Batch) -> None:
        age = self._clock.now() - batch.started
        if batch.state in ("not_started", "starting") and age >= START_SECONDS:
            batch.state = "running"
            batch.times |= dict.fromkeys(("starting", "running"), self._clock.text())
            batch.log = driver_log("")
        if batch.state == "running" and age >= RUN_SECONDS:
            error = run_batch(self._storage, batch.options)
            batch.log = driver_log(error)
            ends = ("dead", "Failed") if error else ("success", "Succeeded")
            self._end(batch, *ends)

    def _end(self, batch: Batch, state: str, result: str) -> None:
        batch.state, batch.result = state, result
        batch.times |= dict.fromkeys((state, "ended"), self._clock.text())

    def _shown(self, request: Request, batch: Batch) -> Response:
        response = answer(self._body(batch, request))
        headers = {
            "x-ms-job-internal-id": str(batch.id),
            "x-ms-job-result": batch.result,
            "x-ms-job-type": "SparkServiceBatch",
        }
        return replace(response, headers=response.headers | headers)

    def _body(self, batch: Batch, request: Request) -> dict[str, Any]:
        started = "starting" in batch.times
        short = {
            "id": batch.id,
            "appId": f"application_1_{batch.id:04}" if "running" in batch.times else None,
            "appInfo": {"driverLogUrl": None, "sparkUiUrl": None} if started else None,
            "state": batch.state,
            "log": batch.log,
        }
        if request.query.get("detailed") != "true":
            return short
        ended = batch.times.get("ended")
        scheduler = "Ended" if ended else "Scheduled" if started else "Queued"
        plugin = "Ended" if ended else "Monitoring" if started else "Preparation"
        starting = batch.times.get("starting")
        failed = {
            "message": f"[plugins.workspace.pool.{batch.id}] [Monitoring] Livy Endpoint=[http://"
            f"10.0.0.1:8998/]. Livy Id=[0]  Job failed during run time with state=[{batch.state}].",
            "errorCode": "LIVY_JOB_FAILED",
            "source": "Dependency",
        }
        workspace, pool = request.host.split(".")[0], request.match["pool"]
        return {
            "livyInfo": {
                **{f"{phase}At": batch.times.get(phase) for phase in PHASES},
                "currentState": batch.state,
                "jobCreationRequest": {"conf": {}, **batch.options},
            },
            "name": batch.options["name"],
            "workspaceName": workspace,
            "computeName": pool,
            "sparkPoolName": pool,
            "submitterName": "somebody",
            "submitterId": SUBMITTER,
            "artifactId": "Livy",
            "jobType": "SparkBatch",
            "result": batch.result,
            "schedulerInfo": {
                "submittedAt": batch.times.get("submitted"),
                "scheduledAt": starting,
                "endedAt": ended,
                "cancellationRequestedAt": batch.times.get("cancellationRequested"),
                "currentState": scheduler,
            },
            "pluginInfo": {
                "preparationStartedAt": starting,
                "resourceAcquisitionStartedAt": starting,
                "submissionStartedAt": starting,
                "monitoringStartedAt": starting,
                "cleanupStartedAt": ended,
                "currentState": plugin,
            },
            **({"errorInfo": [failed]} if batch.result == "Failed" else {}),
            "tags": {},
            **short,
        }


def driver_log(error: str) -> list[str]:
    """The lines that Livy keeps of a driver, whose standard error was this text."""
    shutdown = "26/01/02 03:04:05 INFO ShutdownHookManager: Shutdown hook called"
    return [
        "stdout: ",
        "\nstderr: ",
        *error.splitlines(),
        *([shutdown] if error else []),
        "\nYARN Diagnostics: ",
    ]


@cache
def spark_address() -> str:
    """An embedded Spark Connect server, one a test process."""
    os.environ.setdefault("RUST_LOG", "off")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    spark_address.server = server  # type: ignore[attr-defined]  # lives as long as the process
    return f"sc://127.0.0.1:{server.listening_address[1]}"


def run_batch(storage: Storage, options: dict[str, Any]) -> str:
    """Run a batch's own main file and modules on a mirror of the lake; returns its error or ""."""
    with tempfile.TemporaryDirectory(prefix="pool-") as folder:
        mirror = Path(folder)
        account, container = _account(options["file"])
        before = {}
        for path in storage.paths(account, container):
            before[path] = storage.read(account, container, path)
            (mirror / path).parent.mkdir(parents=True, exist_ok=True)
            (mirror / path).write_bytes(before[path])
        local = [_mirrored(mirror, url) for url in (options["file"], *options["args"])]
        modules = os.pathsep.join(_mirrored(mirror, url) for url in options["pyFiles"])
        # The pool is inside the cloud: its own traffic does not go through the proxy.
        outside = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        done = subprocess.run(
            [sys.executable, *local],
            env=outside | {"PYTHONPATH": modules, "SPARK_REMOTE": spark_address()},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        for file in mirror.rglob("*"):
            path = file.relative_to(mirror).as_posix()
            if file.is_file() and before.get(path) != (content := file.read_bytes()):
                storage.write(account, container, path, content)
        return done.stderr.strip() if done.returncode else ""


def _account(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return str(parts.hostname).split(".")[0], str(parts.username)


def _mirrored(mirror: Path, url: str) -> str:
    return str(mirror / urlsplit(url).path.lstrip("/"))
