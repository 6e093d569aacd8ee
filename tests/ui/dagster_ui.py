"""`bikecast ui` as a process, its GraphQL API, and a headless Chromium to look at it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.cli import PROJECT, Cli

if TYPE_CHECKING:
    from playwright.sync_api import Page

STARTED_WITHIN = 120
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-quic"]

_STATE = """query { assetNodes { assetKey { path } assetMaterializations(limit: 5) { runId } } }"""
_RUNS = """query { runsOrError(limit: 20) { ... on Runs { results {
    runId jobName status tags { key value } } } } }"""


@dataclass(frozen=True)
class DagsterUi:
    """A running UI."""

    url: str

    def query(self, text: str) -> dict:
        """The `data` of a GraphQL answer."""
        body = json.dumps({"query": text}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def materializations(self) -> dict[str, list[str]]:
        """Run ids of the latest materializations, newest first, by asset name."""
        nodes = self.query(_STATE)["assetNodes"]
        return {
            node["assetKey"]["path"][-1]: [m["runId"] for m in node["assetMaterializations"]]
            for node in nodes
        }

    def runs(self) -> list[dict]:
        """The latest runs, newest first; tags as a dict."""
        runs = self.query(_RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {t["key"]: t["value"] for t in run["tags"]}} for run in runs]

    def wait_for_assets(self, timeout: float = 180) -> dict[str, list[str]]:
        """Wait until every asset is materialized and no run is under way."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            state = self.materializations()
            busy = {run["status"] for run in self.runs()} - {"SUCCESS", "FAILURE", "CANCELED"}
            if state and all(state.values()) and not busy:
                return state
            time.sleep(1)
        raise AssertionError(f"not all materialized: {self.materializations()}, {self.runs()}")


@contextmanager
def dagster_ui(cli: Cli) -> Iterator[DagsterUi]:
    """Start `bikecast ui` on a free port and stop all its processes afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = cli.home.parent / "ui.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "ui", "--port", str(port)],
            cwd=PROJECT,
            env=cli.environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    ui = DagsterUi(f"http://127.0.0.1:{port}")
    try:
        _wait_until_up(ui, process, log)
        yield ui
    finally:
        _stop(process)


def _wait_until_up(ui: DagsterUi, process: subprocess.Popen[bytes], log) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if ui.materializations():
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError, KeyError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"the UI did not start:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def chromium() -> str | None:
    """Where the browser is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser_page(width: int = 1600, height: int = 900) -> Iterator[Page]:
    """A page of headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def open_graph(page: Page, ui: DagsterUi) -> None:
    """Open the asset graph with all groups expanded and wait until it is drawn."""
    groups = {node["groupName"] for node in ui.query("{ assetNodes { groupName } }")["assetNodes"]}
    expanded = ",".join(f"global@global:{group}" for group in sorted(groups))
    page.goto(f"{ui.url}/asset-groups?expanded={expanded}")
    page.get_by_text("predicted_rentals").first.wait_for(timeout=60_000)


def materialize_all(page: Page) -> None:
    """Click "Materialize all" on the asset graph."""
    page.get_by_role("button", name="Materialize all").first.click()
