"""`bikecast ui` as a process, and its GraphQL API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cli import Cli

STARTED_WITHIN = 300
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

_STATE = """query { assetNodes { assetKey { path } isPartitioned
    assetMaterializations(limit: 5) { runId } } }"""
_SWITCHES = """query { repositoriesOrError { ... on RepositoryConnection { nodes {
    sensors { name sensorState { status } }
    schedules { name scheduleState { status } } } } } }"""
_RUNS = """query { runsOrError(limit: 20) { ... on Runs { results {
    runId jobName status tags { key value } } } } }"""


@dataclass(frozen=True)
class DagsterUi:
    """A running UI."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def query(self, text: str) -> dict:
        """The `data` of a GraphQL answer."""
        body = json.dumps({"query": text}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def materializations(self) -> dict[str, list[str]]:
        """Run ids of the latest materializations, newest first, by name of an asset without
        partitions: days are materialized when somebody asks for them."""
        nodes = self.query(_STATE)["assetNodes"]
        return {
            node["assetKey"]["path"][-1]: [m["runId"] for m in node["assetMaterializations"]]
            for node in nodes
            if not node["isPartitioned"]
        }

    def runs(self) -> list[dict]:
        """The latest runs, newest first; tags as a dict."""
        runs = self.query(_RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {t["key"]: t["value"] for t in run["tags"]}} for run in runs]

    def wait_for_assets(self, timeout: float = 600) -> dict[str, list[str]]:
        """Wait until every asset is materialized and no run is under way; no run may fail."""

        def settled() -> bool:
            failed = "FAILURE" in {run["status"] for run in self.runs()}
            state = self.materializations()
            return failed or (bool(state) and all(state.values()) and not self.busy())

        self._wait(settled, timeout)
        state = self.materializations()
        assert state, "no asset"
        said = self.log.read_text()[-4000:]
        assert all(state.values()), f"not all materialized: {state}, {self.runs()}\n{said}"
        return state

    def wait_for_run(self, job: str, known: Collection[str] = (), timeout: float = 300) -> dict:
        """Wait for the end of a job's latest run that is not among the known ones."""

        def found() -> list[dict]:
            runs = [run for run in self.runs() if run["runId"] not in known]
            return [run for run in runs if run["jobName"] == job and run["status"] in ENDED]

        assert self._wait(found, timeout), f"no run of {job} ended: {self.runs()}"
        return found()[0]

    def status_of(self, name: str) -> str:
        """RUNNING or STOPPED: the switch of a sensor or a schedule."""
        repositories = self.query(_SWITCHES)["repositoriesOrError"]["nodes"]
        switches = [s for r in repositories for s in (*r["sensors"], *r["schedules"])]
        [status] = [
            (s.get("sensorState") or s["scheduleState"])["status"]
            for s in switches
            if s["name"] == name
        ]
        return status

    def wait_for_status(self, name: str, status: str, timeout: float = 120) -> bool:
        """Wait until a switch has this status."""
        return self._wait(lambda: self.status_of(name) == status, timeout)

    def stop(self, number: int = signal.SIGINT, patience: float = 60) -> str:
        """Send the process a signal, wait for its end, and return all that it said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(patience)
        return self.log.read_text()

    def busy(self) -> bool:
        """Whether a run is under way."""
        return not {run["status"] for run in self.runs()} <= ENDED

    def _wait(self, done: Callable[[], object], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with suppress(TimeoutError):  # of one question to a busy server
                if done():
                    return True
            time.sleep(1)
        return False


@contextmanager
def dagster_ui(cli: Cli, **settings: str) -> Iterator[DagsterUi]:
    """Start `bikecast ui` on a free port and stop all its processes afterwards.

    `settings` are further variables of its environment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = cli.home.parent / "ui.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "bikecast", "ui", "--port", str(port)],
            cwd=cli.project,
            env={**cli.environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    ui = DagsterUi(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_up(ui)
        yield ui
    finally:
        try:
            ui.stop()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_up(ui: DagsterUi) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < deadline:
        if ui.process.poll() is not None:
            break
        try:
            if ui.materializations():
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError, KeyError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"the UI did not start:\n{ui.log.read_text()}")
