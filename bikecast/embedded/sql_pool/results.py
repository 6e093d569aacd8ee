"""Rows on their way to a client: fetched in pieces, within a budget of memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.limits import Limits

if TYPE_CHECKING:
    import duckdb

#: Rows, and bytes about, that are fetched at once.
_FIRST_ROWS, _MOST_ROWS, _PIECE = 64, 8192, 16 << 20
#: Bytes of a row, and of a value beside its text, in CPython on 64 bits.
_ROW, _VALUE = 64, 40
_OF_ANY_LENGTH = ("STRING", "BINARY", "VARCHAR", "BLOB")


class Budget:
    """The bytes that the results of all sessions of a pool hold in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def take(self, count: int, limit: int) -> bool:
        """Take bytes, or give them back where negative; False, and nothing, beyond the limit."""
        with self._lock:
            if count > 0 and self._taken + count > limit:
                return False
            self._taken += count
            return True


_budgets: dict[str, Budget] = {}


def budget_of(path: str) -> Budget:
    """The one budget of a pool's file in this process."""
    return _budgets.setdefault(path, Budget())


class Results:
    """What one session holds of results, from a batch's beginning to that of the next one."""

    def __init__(self, budget: Budget, limits: Limits) -> None:
        self._budget = budget
        self._limits = limits
        self._taken = 0

    def release(self) -> None:
        """Give all back: the last batch's results are the client's now."""
        self._budget.take(-self._taken, 0)
        self._taken = 0

    def fetch(self, cursor: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
        """All rows of the query that was run last. Raises SqlError 701 beyond the budget."""
        rows: list[tuple[object, ...]] = cursor.fetchmany(_FIRST_ROWS)
        if len(rows) < _FIRST_ROWS:
            self._take(_size(rows, _long_columns(cursor)))
            return rows
        columns = _long_columns(cursor)
        piece, size = rows, _size(rows, columns)
        while piece:
            self._take(size)
            count = _PIECE * len(piece) // max(size, 1)
            piece = cursor.fetchmany(min(max(count, 1), _MOST_ROWS))
            size = _size(piece, columns)
            rows += piece
        return rows

    def check_value(self, value: object) -> None:
        """Raise SqlError 701 for a variable that outgrows a quarter of the session's budget."""
        if isinstance(value, str | bytes) and 4 * len(value) > self._limits.session_bytes:
            raise _too_large(self._limits.session_bytes // 4, "a variable")

    def _take(self, count: int) -> None:
        limits = self._limits
        if self._taken + count > limits.session_bytes:
            raise _too_large(limits.session_bytes, "the results of a session")
        if not self._budget.take(count, limits.server_bytes):
            raise _too_large(limits.server_bytes, "the results of all sessions")
        self._taken += count


def _long_columns(cursor: duckdb.DuckDBPyConnection) -> list[int]:
    """The places of columns whose values have any length."""
    description: list[Any] = cursor.description or []
    return [i for i, column in enumerate(description) if str(column[1]) in _OF_ANY_LENGTH]


def _size(rows: list[tuple[object, ...]], long_columns: list[int]) -> int:
    """About the bytes that rows take here."""
    if not rows:
        return 0
    size = len(rows) * (_ROW + _VALUE * len(rows[0]))
    for place in long_columns:
        size += sum(len(cast("str", row[place])) for row in rows if row[place] is not None)
    return size


def _too_large(limit: int, whose: str) -> SqlError:
    return failure("701", limit >> 20, whose)
