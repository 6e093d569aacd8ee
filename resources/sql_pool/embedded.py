"""The embedded dedicated SQL pool as a Dagster resource: T-SQL and PREDICT in one file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field

from bikecast.core.onnx.contract import MAX_MODEL_BYTES
from bikecast.core.sql import SqlError

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.session import EmbeddedSession

#: What a dedicated pool answers while it cannot be used:
#: https://learn.microsoft.com/azure/synapse-analytics/sql-data-warehouse/sql-data-warehouse-troubleshoot
_CLOSED = {
    "Paused": (
        42108,
        "Can not connect to the SQL pool since it is paused. Please resume the SQL pool and try "
        "again.",
    ),
    "Resuming": (42109, "The SQL pool is warming up. Please try again."),
}


class EmbeddedSqlPool(dg.ConfigurableResource):
    """A dedicated SQL pool in a DuckDB file; an adapter of `resources.sql_pool.port.SqlPool`.

    The file is open while a session lives. Sessions of one process share it; other processes
    wait for it. A killed process leaves the last committed state and no lock.
    """

    path: str = Field(description="The pool's file; it is made where it is missing.")
    lake_root: str = Field(description="The folder that COPY INTO may read.")
    lake_url: str = Field(
        default="",
        description="An https location that stands for the lake's folder in COPY INTO, such as "
        "https://ACCOUNT.dfs.core.windows.net/files.",
    )
    wait_seconds: float = Field(
        default=60.0, description="How long a session waits while another process has the file."
    )
    max_model_bytes: int = Field(
        default=MAX_MODEL_BYTES, description="The largest ONNX model that PREDICT loads."
    )

    state: Literal["Online", "Paused", "Resuming"] = Field(
        default="Online",
        description="The pool's state; no session opens unless it is Online (42108, 42109).",
    )

    @contextlib.contextmanager
    def session(self) -> Iterator[EmbeddedSession]:
        """Open a session; leaving it rolls back what was not committed.

        Raises SqlError 1222, naming the holder, when the file stays in use; 42108 and 42109 while
        the pool is paused or resuming.
        """
        if self.state != "Online":
            raise SqlError(*_CLOSED[self.state])
        from bikecast.embedded.sql_pool.session import EmbeddedSession
        from bikecast.embedded.sql_pool.storage import open_database

        root = Path(self.lake_root)
        with open_database(Path(self.path), root, self.wait_seconds) as connection:
            session = EmbeddedSession(connection, root, self.max_model_bytes, self.lake_url)
            try:
                yield session
            finally:
                session.close()
