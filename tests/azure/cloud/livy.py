"""A Synapse Spark pool: Livy batches that run for real, on an embedded Spark server."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, route
from tests.azure.cloud.storage import Storage

HOST = r"[a-z0-9-]+\.dev\.azuresynapse\.net"
BATCHES = r"/livyApi/versions/2019-11-01-preview/sparkPools/(?P<pool>[^/]+)/batches"
START_SECONDS, RUN_SECONDS = 90, 180


@dataclass
class Batch:
    """One batch; it runs when its time has come and somebody looks."""

    id: int
    options: dict[str, Any]
    started: float
    state: str = "not_started"
    result: str = "Uncertain"
    errors: list[dict[str, str]] = field(default_factory=list)
    hidden: bool = False
    """Not in the list, whatever its age."""


class Livy:
    """Batches of any pool. As the real one, it takes a name twice."""

    def __init__(self, clock: Clock, storage: Storage) -> None:
        self.batches: list[Batch] = []
        self.listing_lag = 0.0
        """Seconds until a new batch is in the list."""
        self._clock = clock
        self._storage = storage
        self._ids = itertools.count(1)

    @route("POST", HOST, BATCHES)
    def submit(self, request: Request) -> Response:
        options = request.json
        if not options.get("name") or not options.get("file"):
            return arm_error(400, "BadRequest", "name and file are required")
        batch = Batch(next(self._ids), options, self._clock.now())
        self.batches.append(batch)
        return answer(self._body(batch))

    @route("GET", HOST, BATCHES + r"/(?P<id>\d+)")
    def get(self, request: Request) -> Response:
        for batch in self.batches:
            if batch.id == int(request.match["id"]):
                self._advance(batch)
                return answer(self._body(batch))
        return arm_error(404, "NotFound", "no such batch")

    @route("GET", HOST, BATCHES)
    def list(self, request: Request) -> Response:
        first, size = int(request.query.get("from", 0)), int(request.query.get("size", 20))
        for batch in self.batches:
            self._advance(batch)
        now = self._clock.now()
        listed = [b for b in self.batches if now - b.started >= self.listing_lag and not b.hidden]
        shown = listed[first : first + min(size, 20)]
        sessions = [self._body(batch) for batch in shown]
        return answer({"from": first, "total": len(listed), "sessions": sessions})

    @route("DELETE", HOST, BATCHES + r"/(?P<id>\d+)")
    def cancel(self, request: Request) -> Response:
        for batch in self.batches:
            if batch.id == int(request.match["id"]):
                batch.state, batch.result = "killed", "Cancelled"
                return Response(200)
        return arm_error(404, "NotFound", "no such batch")

    def _advance(self, batch: Batch) -> None:
        age = self._clock.now() - batch.started
        if batch.state in ("not_started", "starting") and age >= START_SECONDS:
            batch.state = "running"
        if batch.state == "running" and age >= RUN_SECONDS:
            error = run_batch(self._storage, batch.options)
            batch.state = "dead" if error else "success"
            batch.result = "Failed" if error else "Succeeded"
            if error:
                batch.errors = [{"message": error[-800:], "errorCode": "Error", "source": "User"}]

    def _body(self, batch: Batch) -> dict[str, Any]:
        return {
            "id": batch.id,
            "name": batch.options["name"],
            "appId": f"application_1_{batch.id:04}",
            "state": batch.state,
            "result": batch.result,
            "errorInfo": batch.errors,
            "jobType": "SparkBatch",
            "livyInfo": {"currentState": batch.state},
            "log": [],
        }


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
