"""Long jobs: their states, their deterministic names, and attaching to a running attempt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """The states of every long job, local or remote."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    NOT_FOUND = "NotFound"

    @property
    def is_terminal(self) -> bool:
        """True when the job will not change any more (a lost job counts as ended)."""
        return self not in (JobState.QUEUED, JobState.RUNNING)

    @property
    def can_attach(self) -> bool:
        """True when a new run should use this attempt instead of starting another."""
        return self in (JobState.QUEUED, JobState.RUNNING, JobState.COMPLETED)


class Awaited(StrEnum):
    """What assets may have to wait for beside trainings."""

    SPARK = "Spark"
    SQL_POOL = "SQL pool"


@dataclass(frozen=True)
class JobStatus:
    """What a poll of one job says.

    `link` is a URL or a folder for people; `error` is the job's own reason when it failed;
    `progress` holds numbers that a live display shows (seconds, trials, best score).
    """

    job_id: str
    state: JobState
    link: str = ""
    error: str = ""
    progress: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job: its id, and its status if it was already started."""

    job_id: str
    number: int
    status: JobStatus | None


def job_base_name(model_name: str, **identity: object) -> str:
    """Deterministic name of a job: the model's name and a hash of what decides its result.

    `identity` is JSON-serializable: data version, code version, settings. Equal identities give
    equal names in every process, so a resubmission finds the job that already runs.
    """
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{model_name}-{digest}"


def current_attempt(
    base_name: str, status_of: Callable[[str], JobStatus], *, retrain: bool = False
) -> Attempt:
    """Find the attempt to attach to, or the number of the next one to start.

    The attempt number rises only after Failed, Canceled or NotFound, or where `retrain` asks for
    a new training although the last attempt is complete. A running attempt is always joined.
    """
    latest: JobStatus | None = None
    number = 0
    while True:
        status = status_of(f"{base_name}-{number + 1}")
        if status.state is JobState.NOT_FOUND:
            break
        latest, number = status, number + 1
    again = retrain and latest is not None and latest.state is JobState.COMPLETED
    if latest is not None and latest.state.can_attach and not again:
        return Attempt(latest.job_id, number, latest)
    return Attempt(f"{base_name}-{number + 1}", number + 1, None)
