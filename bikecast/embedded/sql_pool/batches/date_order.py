"""SET DATEFORMAT: in which order a session reads the day, the month and the year of a text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bikecast.embedded.sql_pool.values.moment_text import DATE_ORDERS

if TYPE_CHECKING:
    import duckdb


@dataclass
class DateOrder:
    """The order of one session, which the compiled SQL reads from a variable of its connection."""

    connection: duckdb.DuckDBPyConnection
    wanted: str = "mdy"
    _applied: str = "mdy"

    def apply(self) -> None:
        """Let the next statement read by the order that is wanted."""
        if self.wanted != self._applied:
            code = DATE_ORDERS[self.wanted]
            self.connection.execute(f"SET VARIABLE tsql_date_order = {code}")
            self._applied = self.wanted

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """What a procedure or an executed text sets ends with it."""
        kept = self.wanted
        try:
            yield
        finally:
            self.wanted = kept
