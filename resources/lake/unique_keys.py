"""Are the keys of a stream of rows unique? Memory is bounded: DuckDB keeps what is more on disk."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from bikecast.core.sql import quoted
from resources.lake.queries import bounded_duckdb

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

#: Repeated keys that are told of.
_MOST = 1000


class UniqueKeys:
    """Takes rows block by block, then says which keys are there more than once.

    Rows that lack a part of the key are left out. The first block stays in memory.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._first: pa.Table | None = None
        self._database: Any = None
        self._has_table = False
        self._worker: ThreadPoolExecutor
        self._inserted: Future[None]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, rows: pa.Table) -> None:
        """Take the keys of some rows."""
        if not self._names:
            return
        keys = rows.select(self._names).drop_null()
        if self._first is None:
            self._first = keys
            return
        if self._database is None:
            self._database = self._open()
            self._inserted = self._worker.submit(self._insert, self._first)
        self._inserted.result()
        self._inserted = self._worker.submit(self._insert, keys)

    def repeated(self) -> set[tuple[object, ...]]:
        """The keys that are there more than once, at most 1000 of them."""
        if self._first is None:
            return set()
        columns = ", ".join(map(quoted, self._names))
        if self._database is not None:
            self._inserted.result()
            found = self._database.execute(
                f"SELECT {columns} FROM keys GROUP BY ALL HAVING count(*) > 1 LIMIT {_MOST}"  # noqa: S608
            )
            return set(found.fetchall())
        counts = self._first.group_by(self._names).aggregate([([], "count_all")])
        if counts.num_rows == self._first.num_rows:
            return set()
        import pyarrow.compute as pc

        more = counts.filter(pc.greater(counts["count_all"], 1)).select(self._names)
        return {tuple(row.values()) for row in more.slice(0, _MOST).to_pylist()}

    def _open(self) -> Any:
        database = self._stack.enter_context(bounded_duckdb())
        self._worker = self._stack.enter_context(ThreadPoolExecutor(1))  # beside the next block
        return database

    def _insert(self, keys: pa.Table) -> None:
        self._database.register("block", keys)
        made = "INSERT INTO keys" if self._has_table else "CREATE TABLE keys AS"
        self._database.execute(f"{made} SELECT * FROM block")  # noqa: S608
        self._has_table = True
        self._database.unregister("block")
