"""The durable record of one training job: a folder, its files, and who holds it.

request.json    what was asked; it appears together with the folder
driver.lock     held (flock) by the driver process for as long as it lives
launch.json     pid and start time of the driver, written by who started it
process.json    the same and when the budget began, written by the driver when it begins
progress.json   the driver's heartbeat and progress, replaced about twice a second
end.json        how a job without a result ended: state, error, kind of error
result/         the finished result; it appears by one rename
driver.log      what the driver and its workers said
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bikecast.core.errors import InvalidInput
from bikecast.core.files import replaced_file
from bikecast.core.jobs import JobState, JobStatus
from bikecast.embedded.automl.locks import FileLock, is_held

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
#: What a job may take, by its budget: this many times it, plus the grace.
LIMIT_FACTOR = 1.5
LIMIT_GRACE_SECONDS = 60.0
#: A job that shows no progress for so long, in seconds awake, hangs.
QUIET_SECONDS = 600.0
#: The heartbeat may be so old before the job counts as stopped, in seconds.
FRESH_SECONDS = 2.0


@dataclass(frozen=True)
class JobRecord:
    """The files of one job. Every method reads small JSON files and imports nothing heavy."""

    folder: Path

    @classmethod
    def of(cls, jobs_dir: str | Path, job_id: str) -> JobRecord:
        """The record of an id.

        Raises InvalidInput where the id cannot be a folder's name.
        """
        if not _JOB_ID.fullmatch(job_id):
            raise InvalidInput(
                f"the job id {job_id!r} is not allowed: letters, digits, dot, hyphen and "
                "underscore only, 200 at most. Nothing was started."
            )
        return cls(Path(jobs_dir).absolute() / job_id)

    @property
    def job_id(self) -> str:
        """The id, which is the folder's name."""
        return self.folder.name

    @property
    def lock_path(self) -> Path:
        """The file that the driver holds."""
        return self.folder / "driver.lock"

    @property
    def log_path(self) -> Path:
        """Standard output and error of the driver."""
        return self.folder / "driver.log"

    @property
    def trials_folder(self) -> Path:
        """Recorded trials, shared by the attempts `<base>-1`, `<base>-2` and so on of a job."""
        return self.folder.parent / ".trials" / re.sub(r"-\d+$", "", self.job_id)

    @property
    def result_folder(self) -> Path:
        """The finished result; it exists only when it is complete."""
        return self.folder / "result"

    def create(self, request: Mapping[str, Any]) -> None:
        """Make the folder with its request in one step; keep a folder that is there.

        Raises BikecastError where the disk is full or read-only.
        """
        if (self.folder / "request.json").exists():
            return
        temporary = self.folder.parent / f".{self.job_id}.{os.getpid()}.new"
        shutil.rmtree(temporary, ignore_errors=True)
        with replaced_file(temporary / "request.json") as path:
            path.write_text(json.dumps(request, indent=1))
        try:
            temporary.rename(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def request(self) -> dict[str, Any]:
        """What was asked; empty where there is no such job."""
        return _read(self.folder / "request.json")

    def began(self) -> bool:
        """True once a driver process has started to work on the job."""
        return (self.folder / "process.json").exists()

    def write_launch(self, pid: int, created: float) -> None:
        """Record the driver that was just started, so that it can be stopped before it begins."""
        self._write("launch.json", {"pid": pid, "created": created})

    def write_process(self, pid: int, created: float, started: float) -> None:
        """Record the driver: process id, psutil's creation time, and when the budget began.

        Both are seconds since the epoch, but psutil's may be a second off: it only tells this
        process from a later one with the same id.
        """
        self._write("process.json", {"pid": pid, "created": created, "started": started})

    def process(self) -> dict[str, Any]:
        """What `write_process` recorded; empty before the driver begins."""
        return _read(self.folder / "process.json")

    def driver(self) -> dict[str, Any]:
        """Process id and creation time of the driver; empty before it is started."""
        return self.process() or _read(self.folder / "launch.json")

    def write_progress(self, progress: Mapping[str, object]) -> None:
        """Replace the progress. Not flushed to disk: the next heartbeat comes soon."""
        temporary = self.folder / ".progress.json.tmp"
        temporary.write_text(json.dumps({**progress, "at": time.time()}))
        temporary.replace(self.folder / "progress.json")

    def progress(self) -> dict[str, Any]:
        """The last progress; empty before the first."""
        return _read(self.folder / "progress.json")

    def write_end(self, state: JobState, error: str, *, kind: str = "") -> None:
        """Record how the job ended without a result; `kind` names the error's class."""
        self._write("end.json", {"state": str(state), "error": error, "kind": kind})

    def end(self) -> dict[str, Any]:
        """How the job ended without a result; empty while it has not."""
        return _read(self.folder / "end.json")

    def holder(self) -> FileLock | None:
        """Take the driver's lock for a process that is about to start; None while it is held."""
        return FileLock.take(self.lock_path)

    def status(self) -> JobStatus:
        """The job's state.

        NotFound: no such job, or its process died before it began, so the id may be submitted
        again. Failed: the driver said so, or it died without a result.
        """
        if not (self.folder / "request.json").exists():
            return JobStatus(self.job_id, JobState.NOT_FOUND)
        held = is_held(self.lock_path)
        # Read what the driver left only after the probe: it writes before it lets go.
        link = str(self.folder)
        progress = self._live_progress(running=held)
        if self.result_folder.exists():
            return JobStatus(self.job_id, JobState.COMPLETED, link, progress=progress)
        if end := self.end():
            state = JobState(end["state"])
            return JobStatus(self.job_id, state, link, str(end["error"]), progress)
        if held:
            state = JobState.RUNNING if self.began() else JobState.QUEUED
            return JobStatus(self.job_id, state, link, progress=progress)
        if not self.began():
            return JobStatus(
                self.job_id, JobState.NOT_FOUND, link, "its process died before it began"
            )
        error = (
            f"the training process ended without a result in phase "
            f"{progress.get('phase', 'starting')!r} (killed, or out of memory). "
            f"Its log is {self.log_path}. Submit again to start the next attempt."
        )
        return JobStatus(self.job_id, JobState.FAILED, link, error, progress)

    def overdue(self) -> str | None:
        """Why the running job should be stopped, or None.

        It is judged by what it did: a job that was suspended, or hardly got a processor, is not
        stopped however old it is. One over its limit has computed longer than the limit on each
        of its processes, or has shown no progress for a long time awake.
        """
        progress, request = self.progress(), self.request()
        limit = float(request.get("limit_seconds", math.inf))
        if progress.get("elapsed_seconds", 0.0) <= limit:
            return None
        quiet = max(limit, QUIET_SECONDS)
        if progress.get("quiet_seconds", 0.0) > quiet:
            return f"it made no progress for {quiet:.0f} s and was stopped"
        training = request.get("spec", {}).get("training", {})
        limit *= 1 + int(training.get("max_concurrent_trials", 1))
        if _processor_seconds(self.driver()) > limit:
            return f"it computed for more than its limit of {limit:.0f} s and was stopped"
        return None

    def _live_progress(self, *, running: bool) -> dict[str, object]:
        progress: dict[str, object] = self.progress()
        written = progress.pop("at", None)
        recorded = progress.get("elapsed_seconds")
        if running and isinstance(written, float) and isinstance(recorded, (int, float)):
            age = max(0.0, time.time() - written)
            elapsed = recorded + min(age, FRESH_SECONDS)
            budget = float(self.request().get("budget_seconds", 0.0))
            progress["elapsed_seconds"] = round(elapsed, 1)
            progress["seconds_left"] = round(max(0.0, budget - elapsed), 1)
            progress["heartbeat_seconds_ago"] = round(age, 1)
        return progress

    def _write(self, name: str, data: Mapping[str, object]) -> None:
        with replaced_file(self.folder / name) as path:
            path.write_text(json.dumps(data))


def job_limit(budget_seconds: float) -> float:
    """How long a job of this budget may compute on one process, in seconds."""
    return budget_seconds * LIMIT_FACTOR + LIMIT_GRACE_SECONDS


def _processor_seconds(recorded: Mapping[str, Any]) -> float:
    """Processor time of the driver and its workers, of those that have ended too; 0 if unknown."""
    import psutil

    total = 0.0
    try:
        driver = psutil.Process(int(recorded["pid"]))
        if abs(driver.create_time() - float(recorded["created"])) >= 0.1:
            return 0.0
        for process in (driver, *driver.children(recursive=True)):
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
    except (KeyError, psutil.Error):
        return 0.0
    return total


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return data if isinstance(data, dict) else {}
