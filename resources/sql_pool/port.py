"""The SQL pool's ports: sessions that run T-SQL batches, and the power switch with its leases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bikecast.core.jobs import JobStatus
from bikecast.core.sql import ResultSet


class Session(Protocol):
    """One connection's state: temp tables, variables of a batch, an open transaction."""

    @property
    def messages(self) -> list[str]:
        """The texts that the session's batches printed so far, in order."""
        ...

    def run(self, batch: str, parameters: Sequence[object] = ()) -> list[ResultSet]:
        """Run one batch (no GO inside) and return its result sets.

        `parameters` fill the batch's `?` marks in order; values never become SQL text. Outside
        an open transaction each statement commits by itself.
        Raises SqlError; an error rolls back an open transaction.
        """
        ...


class SqlPool(Protocol):
    """The pool. A session lives for one unit of work; nothing is held while idle."""

    def session(self) -> AbstractContextManager[Session]:
        """Open a session; leaving it rolls back what was not committed."""
        ...


class SqlPoolPower(Protocol):
    """The power switch of the pool, shared by all who hold a lease.

    A paused pool is resumed for the first lease, and paused after the last one if it was resumed
    for one. Leases outlive the process that took them.
    """

    def status(self) -> JobStatus:
        """Whether the pool is online (Completed), paused (NotFound) or on its way (Running)."""
        ...

    def acquire(self, holder: str) -> JobStatus:
        """Take or renew a lease and have a paused pool resumed; Completed once it is online.

        Returns at once, so repeat it until then. Raises BikecastError where it is refused; the
        lease is kept then.
        """
        ...

    def release(self, holder: str) -> bool:
        """Give a lease back; True where that paused the pool.

        Raises BikecastError where the pause is refused; it stays owed, see `settle`.
        """
        ...

    def settle(self) -> bool:
        """Pause the pool where that is owed by now; True where it did."""
        ...

    def leases(self) -> Mapping[str, float]:
        """Holders, and when each lease was taken or last renewed (seconds since 1970)."""
        ...
