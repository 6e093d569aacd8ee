"""kill -9 of Dagster's processes, then `bikecast run`: it converges and leaves nothing behind."""

import contextlib
import signal
import time

import psutil
import pytest

from tests.cli import Cli
from tests.e2e.conftest import TRIALS
from tests.e2e.test_kills import assert_converges, processes_of, wait_until
from tests.ui.dagster_ui import dagster_ui

pytestmark = pytest.mark.slow

LAUNCH = """mutation { launchRun(executionParams: { runConfigData: {}, selector: {
    repositoryLocationName: "bikecast", repositoryName: "__repository__", jobName: "bike_rentals"
} }) { __typename ... on PythonError { message } } }"""


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def is_training(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "bikecast.embedded.automl" in " ".join(process.cmdline())
    return False


@pytest.mark.parametrize("delay", [2.0, 6.0, 10.0, 16.0])
def test_killing_all_of_dagster_during_a_run_converges(cli, delay):
    cli = Cli(cli.home, trials=TRIALS)
    with dagster_ui(cli) as ui:
        assert ui.query(LAUNCH)["launchRun"]["__typename"] == "LaunchRunSuccess"
        time.sleep(delay)
        kill([process for process in processes_of(cli.home) if not is_training(process)])
    assert_converges(cli)


def test_killing_the_daemon_stops_the_web_server_and_says_so(cli):
    with dagster_ui(cli):
        [daemon] = [p for p in processes_of(cli.home) if "dagster._daemon" in p.cmdline()]
        kill([daemon])
        assert wait_until(lambda: not processes_of(cli.home), 90), processes_of(cli.home)
    assert "dagster._daemon ended with code -9" in (cli.home.parent / "ui.log").read_text()
