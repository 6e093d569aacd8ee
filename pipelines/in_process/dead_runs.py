"""Runs whose process was killed: found, and marked as failed."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from pipelines.event_log.port import EventLog

if TYPE_CHECKING:
    import dagster as dg

#: A run's tag that names the process that runs it.
PROCESS_TAG = "bikecast/process"


def clean_up_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs whose process was killed as failed, so that none looks alive."""
    from pipelines.event_log.dagster_log import DagsterLog

    for run_id in dead_runs(DagsterLog(instance)):
        run = instance.get_run_by_id(run_id)
        if run is not None:
            instance.report_run_failed(run, message="The process of this run was killed.")


def dead_runs(log: EventLog) -> list[str]:
    """Ids of runs that are marked as under way although nothing runs them any more.

    A run of a command names its process. A run that Dagster launched lives no longer than the
    Dagster processes of this home.
    """
    unfinished = log.runs_under_way()
    owned = [run for run in unfinished if PROCESS_TAG in run.tags]
    launched = [run for run in unfinished if run not in owned and run.status != "NOT_STARTED"]
    dead = [run for run in owned if not _alive(run.tags[PROCESS_TAG])]
    if launched and not dagster_runs_here():
        dead += launched
    return [run.run_id for run in dead]


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
