"""kill -9 at many points, then `bikecast run` again: it converges and leaves nothing behind."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import registry_for
from pipelines.home import Home
from tests.cli import Cli
from tests.e2e.conftest import TRIALS, run_json

pytestmark = pytest.mark.slow

STAGES = [
    "raw_bike_rentals",
    "bike_data",
    "automl_run",
    "weather_forecast",
    "automl_run: training",
    "rental_prediction_model",
    "rental_prediction_model_table",
    "predict_rentals",
]


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that was started for a home, wherever its parent is now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ours = process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE
            if not ours and process.environ().get("BIKECAST_HOME") == str(home):
                found.append(process)
    return found


def wait_until(condition, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def assert_converges(cli: Cli, versions: int = 1) -> None:
    """One more run succeeds; one version a training job; no half table, no lock, no process."""
    result = run_json(cli).result
    assert len(result["predictions"]) == 10
    registered = registry_for(Home(cli.home)).versions(SPEC.model_name)
    assert len(registered) == versions
    assert len({version.job_id for version in registered}) == versions
    assert {row["model_version"] for row in result["predictions"]} == {versions}
    count = json.loads(
        cli("sql", "SELECT COUNT(*) AS n FROM dbo.predicted_rentals", "--format", "json").stdout
    )
    assert count == [{"n": 10}]
    assert wait_until(lambda: not processes_of(cli.home), 15), processes_of(cli.home)


def kill_when_it_says(cli: Cli, word: str, delay: float = 0.0) -> None:
    """Start a run and kill it with -9 once its progress has ended a stage."""
    process = cli.start("run", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    threading.Thread(target=process.stdout.read, daemon=True).start()
    for line in process.stderr:
        if line.split()[1:2] and f"done {word} " in line:
            break
    time.sleep(delay)
    process.kill()
    process.wait()


@pytest.mark.parametrize("stage", STAGES)
def test_killing_the_command_after_a_stage_converges(cli, stage):
    kill_when_it_says(cli, stage)
    assert_converges(cli)


@pytest.mark.parametrize("seed", range(6))
def test_killing_the_command_at_a_random_moment_converges(cli, seed):
    process = cli.start("run", "--json")
    time.sleep(random.Random(seed).uniform(0.5, 16))
    process.kill()
    process.communicate()
    assert_converges(cli)


def training_processes(home: Path) -> list[psutil.Process]:
    """The detached driver of a training job and its workers."""
    return [p for p in processes_of(home) if "bikecast.embedded.automl" in " ".join(p.cmdline())]


@pytest.mark.parametrize("delay", [0.0, 2.0, 5.0])
def test_killing_the_training_is_noticed_and_the_next_run_trains_again(cli, delay):
    cli = Cli(cli.home)  # the whole plan, so that there is a training to kill
    process = cli.start("run", "--json")
    assert wait_until(lambda: training_processes(cli.home))
    time.sleep(delay)
    for training in training_processes(cli.home):
        with contextlib.suppress(psutil.NoSuchProcess):
            training.send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "No model was registered, and the live model is as it was" in err
    assert wait_until(lambda: not processes_of(cli.home), 15)
    assert_converges(cli)


@contextlib.contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """Processes that want a processor each, all the time."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_the_main_job_beside_two_busy_loops_gives_the_model_of_a_quiet_machine(tmp_path):
    """It tried 1 to 12 of 14 configurations there, and delivered another model."""
    quiet = run_json(Cli(tmp_path / "quiet")).result
    with busy_loops(2):
        busy = run_json(Cli(tmp_path / "busy")).result
    assert busy["model"]["digest"] == quiet["model"]["digest"]
    assert [row["trial"] for row in busy["leaderboard"]] == [
        row["trial"] for row in quiet["leaderboard"]
    ]


def test_a_training_goes_on_without_its_command_and_is_joined(cli):
    kill_when_it_says(cli, "automl_run", delay=1.0)
    assert training_processes(cli.home)
    result = run_json(cli).result
    assert result["trained"] is True
    folders = [path.name for path in Home(cli.home).jobs.iterdir() if path.is_dir()]
    jobs = [name for name in folders if not name.startswith(".")]
    assert jobs == [result["model"]["job_id"]]


def test_a_full_disk_is_a_clear_error_and_the_next_run_converges(small_disk):
    cli = Cli(small_disk / "home", TRIALS)
    done = cli("run")
    assert done.returncode == 1
    assert "cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,size=300m", small_disk], check=True)
    assert_converges(cli)
