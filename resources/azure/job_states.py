"""The states of jobs in Azure ML by ours."""

from __future__ import annotations

import logging

from bikecast.core.jobs import JobState

#: A job that stopped answering may come back.
STATES = {
    **dict.fromkeys(("NotStarted", "Starting", "Provisioning", "Preparing"), JobState.QUEUED),
    "Queued": JobState.QUEUED,
    **dict.fromkeys(("Running", "Finalizing", "CancelRequested"), JobState.RUNNING),
    **dict.fromkeys(("NotResponding", "Paused"), JobState.RUNNING),
    "Completed": JobState.COMPLETED,
    "Failed": JobState.FAILED,
    "Canceled": JobState.CANCELED,
}

_log = logging.getLogger(__name__)


def job_state(name: str, word: str) -> JobState:
    """The state of a job; an unknown one counts as running, with a warning."""
    state = STATES.get(word)
    if state is None:
        _log.warning("job %s has the unknown state %s; it counts as running", name, word)
        return JobState.RUNNING
    return state
