"""Stopping Dagster's processes quickly, and a word about what goes on without them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from pipelines.in_process.dead_runs import PROCESS_TAG, clean_up_dead_runs

if TYPE_CHECKING:
    import dagster as dg

    from pipelines.settings import Settings

#: How long the processes may take to end by themselves; a second Ctrl-C cuts it short.
PATIENCE_SECONDS = 8.0
#: Part of the command line of a process that runs a run: Dagster's code server spawns it.
_RUN_WORKER = "multiprocessing.spawn"
#: Dagster's tag on a failed run that its daemon will launch again.
_WILL_RETRY = "dagster/will_retry"


def stop_processes(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """End Dagster's processes with all that they started, except trainings.

    The children come first, so that nothing new begins. Then each run is interrupted, which it
    records as a failure: the code servers would wait for its end otherwise. Whoever is left after
    PATIENCE_SECONDS is killed. A training has a session of its own and goes on.
    """
    family = list(_family(children))
    for child in children:
        with suppress(ProcessLookupError):
            child.send_signal(signal.SIGINT)
    for process in family:
        with suppress(psutil.Error):
            if any(_RUN_WORKER in word for word in process.cmdline()):
                process.send_signal(signal.SIGINT)
    with suppress(KeyboardInterrupt):
        psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    for process in {*family, *_family(children)}:
        with suppress(psutil.Error):
            process.kill()
    for child in children:
        child.wait()


def _family(children: Sequence[subprocess.Popen[bytes]]) -> Iterator[psutil.Process]:
    """The children that live, and their descendants of the same session."""
    session = os.getsid(0)
    for child in children:
        with suppress(psutil.Error):
            root = psutil.Process(child.pid)
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.Error, ProcessLookupError):
                    if os.getsid(process.pid) == session:
                        yield process


def launched_runs(instance: dg.DagsterInstance) -> list[str]:
    """Ids of the runs that Dagster's processes run now; those of commands are not theirs."""
    import dagster as dg

    statuses = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    statuses.append(dg.DagsterRunStatus.CANCELING)
    runs = instance.get_runs(dg.RunsFilter(statuses=statuses))
    return [run.run_id for run in runs if PROCESS_TAG not in run.tags]


def interrupted_runs(instance: dg.DagsterInstance, running: Sequence[str]) -> list[str]:
    """One sentence for each of these runs that did not come to its end.

    Runs whose process had to be killed are marked as failed here.
    """
    import dagster as dg

    clean_up_dead_runs(instance)
    sentences = []
    for run_id in running:
        run = instance.get_run_by_id(run_id)
        if run is None or run.status is not dg.DagsterRunStatus.FAILURE:
            continue
        end = "was interrupted; nothing is half written"
        if run.tags.get(_WILL_RETRY) == "true":
            end += ", and the next `bikecast ui` runs the rest"
        sentences.append(f"Run {run_id[:8]} ({run.job_name}) {end}.")
    return sentences


def trainings_that_go_on(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """One sentence for each local training that goes on without the stopped command."""
    from bikecast.core.jobs import JobState
    from pipelines.environments import local_resources
    from pipelines.event_log.dagster_log import DagsterLog
    from pipelines.model_files import load_models
    from pipelines.reports.health import pending_jobs

    if settings.env != "local":
        return ["Jobs that were submitted to Azure go on there."]
    models = load_models()
    resources = local_resources(settings, models)
    return [
        f"Training of job {status.job_id} goes on in its own process; `bikecast run` or "
        "`bikecast ui` picks it up."
        for model in models
        for status in pending_jobs(DagsterLog(instance), model.spec, resources.automl)
        if status.state in (JobState.QUEUED, JobState.RUNNING)
    ]
