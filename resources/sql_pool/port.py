"""The SQL pool's ports: sessions that run T-SQL batches, and the power switch with its leases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobStatus


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result set; `sql_type` is SQL Server's name of the type."""

    name: str
    sql_type: str


@dataclass(frozen=True)
class ResultSet:
    """One result set: columns, and rows as tuples of Python values (None for NULL)."""

    columns: tuple[ResultColumn, ...]
    rows: list[tuple[object, ...]]

    def as_dicts(self) -> list[dict[str, object]]:
        """The rows as dicts by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class SqlError(BikecastError):
    """An error of the pool with SQL Server's number (103010 for a parse error)."""

    def __init__(
        self, number: int, message: str, *, line: int = 0, state: int = 1, severity: int = 16
    ) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.line = line
        self.state = state
        self.severity = severity

    def __str__(self) -> str:
        return f"Msg {self.number}: {self.message}"


class Session(Protocol):
    """One connection's state: temp tables, variables of a batch, an open transaction."""

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
