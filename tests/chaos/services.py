"""Dagster's processes that die while the UI runs the main job: daemon, webserver, run, or all."""

from __future__ import annotations

import contextlib
import random
import time

import psutil

from pipelines.home import Home
from tests.chaos.deaths import Child, Ground, Outcome, missed, strange
from tests.chaos.stages import run_settings
from tests.cli import Cli
from tests.e2e.test_daemon_kills import LAUNCH, is_training, kill
from tests.e2e.test_kills import processes_of, wait_until
from tests.ui.dagster_ui import dagster_ui

#: By way of dying: which of a home's processes die, by a word of their command line.
VICTIMS = {
    "kill -9 of the daemon": "dagster._daemon",
    "kill -9 of the webserver": "pipelines.webserver",
    "kill -9 of the run": "spawn_main",
    "kill -9 of all": "",
}
STAGE = "a run by the UI"
#: A run by the UI promotes by comparison, so these have a third state.
_STEPS = {"registry", "live", "audit", "predictions", "rows"}
#: Seconds after the launch within which they die.
_WITHIN = 25.0


def tried_by_ui(ground: Ground, way: str, number: int) -> Outcome:
    """Let processes of the UI die at a random moment of a run with new files, repeat it, look.

    `ground` is the one of a whole run, whose home is before and after as it is here.
    """
    delay = random.Random(f"{way} {number}").uniform(0.0, _WITHIN)
    where = f"{delay:.1f} s after the launch"
    with ground.copy(f"try-{number}") as place:
        home = Home(place / "home")
        cli = Cli(home.root, trials=1)
        with dagster_ui(cli, **run_settings(home, 2)) as ui:
            ui.query(LAUNCH)
            time.sleep(delay)
            victims = [p for p in processes_of(home.root) if _is(p, VICTIMS[way])]
            kill(victims)
            ends = way == "kill -9 of the run" or wait_until(
                lambda: ui.process.poll() is not None, 300
            )
        if not ends or not wait_until(lambda: not processes_of(home.root), 300):
            left = [" ".join(process.cmdline())[:80] for process in processes_of(home.root)]
            return Outcome(STAGE, way, where, struck=True, wrong=f"stuck: {left} go on")
        struck, log = bool(victims), ground.folder / "log"
        if half := strange(ground, ground.seen(place), _STEPS):
            return Outcome(STAGE, way, where, struck, f"half: {half}")
        log.unlink(missing_ok=True)
        again = Child.start(lambda: ground.stage(home), log).end()
        if again != 0:
            return Outcome(STAGE, way, where, struck, f"stuck: {again} {log.read_text()[-1500:]}")
        return Outcome(STAGE, way, where, struck, missed(ground, ground.seen(place)))


def _is(process: psutil.Process, word: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return word in " ".join(process.cmdline()) and not is_training(process)
    return False
