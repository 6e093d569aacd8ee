"""Livy batches that are submitted once: a durable record beside what Livy lists.

Livy has no idempotent submit, and its list may lag behind. So a record of the lake says that a
batch is about to be submitted before it is, and which one it became after that. Whoever finds a
record without a batch waits for the list to catch up before anything is submitted again.

A batch whose id is recorded is asked for by its id. The list, which can be long, is read whole
only before the first submission of a name, and from there on only where twins are possible.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from bikecast.core.jobs import JobState, JobStatus
from resources.lake.adls import AdlsLake, Conflict
from resources.spark.livy import Batches, ListEnd

#: Answers that say that nothing was started.
NOT_TAKEN = frozenset({400, 401, 403, 404, 409, 429})
ATTEMPTS = 3
LONGEST_PAUSE = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """When a batch was about to be submitted (seconds since 1970), and its id once it is known.

    `canceled` is why we canceled it. `alone` says that it was submitted once, so that no twin of
    it can turn up. `index` and `newest` are the list's end before the first submission.
    """

    at: float
    livy_id: int | None = None
    canceled: str = ""
    alone: bool = False
    index: int = 0
    newest: int = -1

    @property
    def since(self) -> ListEnd:
        """What the list already had before the first submission."""
        return ListEnd(self.index, self.newest)


@dataclass(frozen=True)
class Submissions:
    """The batches of one pool by name, with their records in a folder of the lake."""

    batches: Batches
    lake: AdlsLake
    folder: str
    lag_seconds: float
    """How far Livy's list may lag behind."""
    limit_seconds: float
    """A batch that is older is canceled."""

    def submit(self, name: str, start: Callable[[], Any]) -> JobStatus:
        """Start a batch by `start`, or attach to the one of that name.

        Raises what `start` raises, where it is not known to have started a batch.
        """
        record, version = self._read(name)
        if record is None:
            # A batch of this name would be one whose record somebody deleted.
            batches, end = self.batches.search(name)
            if batches:
                record = Submission(time.time(), int(self._ours(batches, None).id))
                self._note(name, record)
            else:
                new = Submission(time.time(), alone=True, index=end.index, newest=end.newest)
        if record is not None:
            status = self._status(name, record)
            if status.state is not JobState.NOT_FOUND:
                return status
            # Nothing was started at the time 0.
            alone = record.alone and not record.at
            new = replace(record, at=time.time(), livy_id=None, canceled="", alone=alone)
        try:
            self._write(name, new, version)
        except Conflict:
            return JobStatus(name, JobState.QUEUED, progress={"status": "somebody else submits it"})
        batch = self._started(name, new, start)
        if batch is None:
            return self.status(name)
        self._note(name, replace(new, at=time.time(), livy_id=int(batch.id)))
        return self.batches.status(batch)

    def status(self, name: str) -> JobStatus:
        """Poll a batch; twins of it and one beyond its limit are canceled.

        A name without a record was never submitted: NotFound.
        """
        record, _ = self._read(name)
        if record is None:
            return JobStatus(name, JobState.NOT_FOUND, progress={"status": "not listed"})
        return self._status(name, record)

    def cancel(self, name: str) -> JobStatus:
        """Cancel the batches of a name that have not ended."""
        record, _ = self._read(name)
        for batch in [] if record is None else self._batches(name, record):
            if not self.batches.status(batch).state.is_terminal:
                self.batches.cancel(batch)
        return self.status(name)

    def _batches(self, name: str, record: Submission) -> list[Any]:
        """The recorded batch by its id, and its twins or it from the list where that must be."""
        batches = [] if record.livy_id is None else self.batches.get(record.livy_id, name)
        if batches and record.alone:
            return batches
        ids = {int(each.id) for each in batches}
        listed = self.batches.find(name, record.since)
        return batches + [each for each in listed if int(each.id) not in ids]

    def _status(self, name: str, record: Submission) -> JobStatus:
        batches = self._batches(name, record)
        if not batches:
            young = time.time() - record.at < self.lag_seconds
            state = JobState.QUEUED if young else JobState.NOT_FOUND
            return JobStatus(name, state, progress={"status": "not listed"})
        ours = self._ours(batches, record)
        if record.livy_id is None:
            record = replace(record, livy_id=int(ours.id))
            with suppress(Conflict):
                self._note(name, record)
        status = self.batches.status(ours)
        twins = self._without_twins(name, ours, batches)
        if twins:
            status = replace(status, progress={**status.progress, "canceled_twins": twins})
        if record.canceled and status.state is JobState.CANCELED:
            return replace(status, error=record.canceled)
        age = time.time() - record.at
        if not status.state.is_terminal and age > self.limit_seconds:
            why = f"it ran longer than its limit of {self.limit_seconds:.0f} s and was canceled"
            self.batches.cancel(ours)
            self._note(name, replace(record, canceled=why))
            return replace(status, state=JobState.CANCELED, error=why)
        return status

    def _started(self, name: str, record: Submission, start: Callable[[], Any]) -> Any | None:
        """The new batch; None where Livy has one although its answer was an error."""
        from azure.core.exceptions import AzureError, HttpResponseError

        for attempt in range(1, ATTEMPTS + 1):
            try:
                return start()
            except AzureError as error:
                status = error.status_code if isinstance(error, HttpResponseError) else None
                if status == 429 and attempt < ATTEMPTS:
                    time.sleep(_pause(error))
                    continue
                if status in NOT_TAKEN:
                    self._note(name, replace(record, at=0.0))
                elif self.batches.find(name, record.since):
                    return None
                raise
        raise AssertionError("the last attempt returns or raises")

    @staticmethod
    def _ours(batches: list[Any], record: Submission | None) -> Any:
        """The recorded batch, else the oldest one."""
        recorded = [each for each in batches if record is not None and each.id == record.livy_id]
        return recorded[0] if recorded else min(batches, key=lambda each: int(each.id))

    def _without_twins(self, name: str, ours: Any, batches: list[Any]) -> list[int]:
        """Cancel all other batches of the name that have not ended; return their ids."""
        canceled = []
        for twin in batches:
            if twin.id == ours.id or self.batches.status(twin).state.is_terminal:
                continue
            self.batches.cancel(twin)
            canceled.append(int(twin.id))
            _log.warning(
                "Spark batch %s was submitted twice: batch %s is kept, its twin %s is canceled. "
                "Livy's list lagged behind by more than %.0f s",
                name,
                ours.id,
                twin.id,
                self.lag_seconds,
            )
        return canceled

    def _place(self, name: str) -> str:
        return f"{self.folder}/{name}/submission.json"

    def _read(self, name: str) -> tuple[Submission | None, str | None]:
        stored = self.lake.read_versioned(self._place(name))
        return (None, None) if stored is None else (Submission(**json.loads(stored[0])), stored[1])

    def _note(self, name: str, record: Submission) -> None:
        self._write(name, record, self._read(name)[1])

    def _write(self, name: str, record: Submission, version: str | None) -> None:
        self.lake.put_if(self._place(name), json.dumps(asdict(record)).encode(), version)


def _pause(error: Any) -> float:
    """Seconds that the service asks to wait, at most a minute."""
    headers = error.response.headers if error.response is not None else {}
    try:
        return min(float(headers.get("Retry-After", 5)), LONGEST_PAUSE)
    except ValueError:
        return LONGEST_PAUSE
