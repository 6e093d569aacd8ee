"""Stopping `bikecast ui` in the middle of things: quick, clean, and the next one goes on."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from tests.cli import Cli
from tests.e2e.test_daemon_kills import LAUNCH, is_training
from tests.e2e.test_kills import processes_of, wait_until
from tests.ui.dagster_ui import dagster_ui

pytestmark = pytest.mark.slow


def sessions(home: Path, only=lambda process: True) -> set[int]:
    """The sessions of a home's processes; a training with all its processes has its own."""
    found = set()
    for process in processes_of(home):
        with contextlib.suppress(ProcessLookupError):
            if only(process):
                found.add(os.getsid(process.pid))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_during_a_run_interrupts_it_and_the_next_ui_runs_the_rest(cli, number):
    with dagster_ui(cli) as ui:
        assert ui.query(LAUNCH)["launchRun"]["__typename"] == "LaunchRunSuccess"
        assert wait_until(lambda: ui.runs()[0]["status"] == "STARTED", 300)
        run_id = ui.runs()[0]["runId"]
        said = ui.stop(number)
        assert sessions(cli.home) == sessions(cli.home, only=is_training)
    assert "Stopped." in said
    assert f"Run {run_id[:8]} (bike_rentals) was interrupted" in said
    assert "the next `bikecast ui` runs the rest" in said

    with dagster_ui(cli) as ui:
        assert wait_until(lambda: all(ui.materializations().values()), 600), ui.runs()
        assert wait_until(lambda: not ui.busy(), 60)
        runs = {run["runId"]: run for run in ui.runs()}
        assert runs[run_id]["status"] == "FAILURE"
        again = [run for run in runs.values() if run["tags"].get("dagster/parent_run_id")]
        assert {run["status"] for run in again} == {"SUCCESS"}


def test_a_stop_during_a_training_says_that_it_goes_on_and_the_next_ui_finishes_it(cli):
    cli = Cli(cli.home)  # the whole plan, so that there is a training to stop in
    with dagster_ui(cli) as ui:
        assert ui.query(LAUNCH)["launchRun"]["__typename"] == "LaunchRunSuccess"
        assert wait_until(lambda: ui.materializations()[SPEC.run_asset], 300)
        assert wait_until(lambda: not ui.busy(), 60)
        said = ui.stop(signal.SIGTERM)
        assert sessions(cli.home, only=is_training)
        assert sessions(cli.home) == sessions(cli.home, only=is_training)
    assert f"Training of job {SPEC.model_name}-" in said
    assert "goes on in its own process" in said
    assert "was interrupted" not in said

    with dagster_ui(cli) as ui:
        assert wait_until(lambda: all(ui.materializations().values()), 600), ui.runs()
        assert {run["status"] for run in ui.runs()} <= {"SUCCESS", "STARTED"}
