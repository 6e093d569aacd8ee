"""The pool and its sessions, as everybody outside of this package sees them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.sql import ResultSet
from bikecast.embedded.sql_pool.limits import Limits

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.internal import EngineSession


class Session:
    """One session: temp tables, what was SET, an open transaction."""

    def __init__(self, engine: EngineSession) -> None:
        self._engine = engine

    @property
    def messages(self) -> list[str]:
        """The texts of PRINT and of RAISERROR up to severity 10, in order."""
        return self._engine.messages

    def run(self, batch: str, parameters: Sequence[object] = ()) -> list[ResultSet]:
        """Run one batch (no GO inside) and return its result sets.

        `parameters` fill its ? marks in order. Raises SqlError; an error rolls back an open
        transaction.
        """
        return self._engine.run_positional(batch, parameters)


class Pool:
    """A dedicated SQL pool in one DuckDB file, which is made where it is missing.

    COPY INTO reads files below `lake_root` only; `lake_url` is an https location that stands for
    that folder, such as https://ACCOUNT.dfs.core.windows.net/files. `database` is the pool's name,
    which may stand before a schema's (pool.dbo.days). The file is open while a
    session lives: sessions of one process share it, other processes wait. A killed process leaves
    the last committed state and no lock.
    """

    def __init__(
        self,
        path: str | Path,
        lake_root: str | Path,
        limits: Limits | None = None,
        lake_url: str = "",
        database: str = "pool",
    ) -> None:
        self.path = Path(path)
        self.lake_root = Path(lake_root)
        self.limits = limits or Limits()
        self.lake_url = lake_url
        self.database = database

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session; leaving it rolls back what was not committed.

        Raises SqlError 1222, naming the holder, when the file stays in use, and 5120 for a file
        that cannot be opened.
        """
        with self.engine_session() as engine:
            yield Session(engine)

    def copy_to(self, target: Path) -> None:
        """Copy the last committed state to a new file; sessions wait meanwhile.

        Raises SqlError 1222 where another process keeps the file, and 5120 for one that cannot be
        read.
        """
        from bikecast.embedded.sql_pool.storage import copy_database

        copy_database(self.path, target, self.limits.wait_seconds)

    def check(self, most_bytes: int | None = None) -> None:
        """Open the file and read all of it, or only open it where it is larger than `most_bytes`.

        DuckDB has a checksum of each block. Raises SqlError 1222 where another process keeps the
        file, and 5120 for one that cannot be read.
        """
        from bikecast.embedded.sql_pool.storage import check_database

        is_read = most_bytes is None or self.path.stat().st_size <= most_bytes
        check_database(self.path, self.limits.wait_seconds, is_read=is_read)

    @contextlib.contextmanager
    def engine_session(self) -> Iterator[EngineSession]:
        """Internal, for the TDS endpoint: a session as `internal` describes it."""
        from bikecast.embedded.sql_pool.internal import EngineSession
        from bikecast.embedded.sql_pool.storage import open_database

        wait_seconds = self.limits.wait_seconds
        with open_database(self.path, self.lake_root, wait_seconds) as connection:
            path = str(self.path.resolve())
            engine = EngineSession(
                connection, self.lake_root, self.limits, self.lake_url, path, self.database
            )
            try:
                yield engine
            finally:
                engine.close()
