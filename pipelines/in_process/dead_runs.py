"""Runs whose process was killed: found, and marked as failed."""

from __future__ import annotations

import os
from contextlib import suppress

import dagster as dg
import psutil

#: A run's tag that names the process that runs it.
PROCESS_TAG = "bikecast/process"


def clean_up_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs whose process was killed as failed, so that none looks alive."""
    for run in dead_runs(instance):
        instance.report_run_failed(run, message="The process of this run was killed.")


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that are marked as under way although nothing runs them any more.

    A run of a command names its process. A run that Dagster launched lives no longer than the
    Dagster processes of this home.
    """
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    statuses += [dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.NOT_STARTED]
    unfinished = instance.get_runs(dg.RunsFilter(statuses=statuses))
    owned = [run for run in unfinished if PROCESS_TAG in run.tags]
    launched = [run for run in unfinished if run not in owned and run.status in statuses[:3]]
    dead = [run for run in owned if not _alive(run.tags[PROCESS_TAG])]
    if launched and not dagster_runs_here():
        dead += launched
    return dead


def dagster_runs_here() -> bool:
    """True while a Dagster process that this one did not start uses this DAGSTER_HOME."""
    home = os.environ.get("DAGSTER_HOME")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if process.pid == os.getpid() or not any("dagster" in word for word in words):
                continue
            if process.environ().get("DAGSTER_HOME") == home:
                return True
    return False


def this_process() -> str:
    """The value of PROCESS_TAG for a run in this process: `pid:start time`."""
    return f"{os.getpid()}:{psutil.Process().create_time():.2f}"


def _alive(owner: str) -> bool:
    """True while the process named `pid:start time` runs."""
    pid, _, started = owner.partition(":")
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == started
    except (psutil.NoSuchProcess, ValueError):
        return False
