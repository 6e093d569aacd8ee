"""Questions about tables that DuckDB answers in bounded memory; what is more lies on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bikecast.core.sql import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.dataset as ds

_MEMORY = "128MB"


@contextmanager
def bounded_duckdb() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that puts what does not fit into a temporary folder."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
        config: dict[str, Any] = {
            "memory_limit": _MEMORY,
            "temp_directory": folder,
            "threads": 2,
            "preserve_insertion_order": "false",
        }
        database = duckdb.connect(":memory:", config=config)
        try:
            yield database
        finally:
            database.close()


def rows_in_both(
    these: ds.Dataset | pa.Table, those: ds.Dataset | pa.Table, columns: Sequence[str]
) -> int:
    """How many of these rows equal one of those in all of the columns."""
    names = ", ".join(map(quoted, columns))
    query = f"SELECT count(*) FROM these SEMI JOIN those USING ({names})"  # noqa: S608 # quoted
    return int(_answer(query, columns, these=these, those=those)[0])


def same_values(
    these: ds.Dataset, those: ds.Dataset, keys: Sequence[str], value: str
) -> tuple[int, int]:
    """How many keys are in both tables, and for how many of these the value is the same."""
    names, column = ", ".join(map(quoted, keys)), quoted(value)
    query = (
        f"SELECT count(*), count(*) FILTER (these.{column} = those.{column}) "  # noqa: S608 # quoted
        f"FROM these JOIN those USING ({names})"
    )
    both, same = _answer(query, [*keys, value], these=these, those=those)
    return int(both), int(same)


def _answer(query: str, columns: Sequence[str], **tables: ds.Dataset | pa.Table) -> tuple[Any, ...]:
    """The one row of a query over tables, each of which it reads once."""
    import pyarrow as pa

    from resources.lake.tables import reader_of

    with bounded_duckdb() as database:
        for name, table in tables.items():
            is_table = isinstance(table, pa.Table)
            rows = table.select(columns) if is_table else reader_of(table, columns)
            database.register(name, rows)
        [row] = database.execute(query).fetchall()
    return tuple(row)
