"""COPY INTO record by record: rows that cannot be loaded are found and set aside."""
# ruff: noqa: S608 # names are quoted, values are columns of an Arrow table

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn
from bikecast.embedded.sql_pool.copy.options import CopyOptions
from bikecast.embedded.sql_pool.copy.records import Record, read_records
from bikecast.embedded.sql_pool.copy.rejects import RejectedRows
from bikecast.embedded.sql_pool.errors import from_duckdb
from bikecast.embedded.sql_pool.values.scope import quoted
from bikecast.embedded.sql_pool.work import Work, used_parameters

if TYPE_CHECKING:
    import duckdb

_BATCH = 8192
_NAME = "bikecast_copy_batch"
Numbered = tuple[int, Record]


def insert_records(
    work: Work,
    table: SqlObject,
    columns: list[TableColumn],
    values: list[str],
    path: Path,
    options: CopyOptions,
    width: int,
    rejected: RejectedRows,
) -> int:
    """Insert the records whose values convert; the others go to `rejected`.

    `values` are DuckDB expressions over q.f1 to q.f<width>, one for each of `columns`. Raises
    SqlError where `rejected` does.
    """
    import pyarrow as pa

    listed = ", ".join(quoted(column.name) for column in columns)
    inserted = 0
    with work.connection.cursor() as checker:
        # A failed query would end the statement's transaction, so another connection tries first.
        problem_in = partial(_problem, checker, work, columns, values)
        numbered = enumerate(read_records(path, options), options.first_row)
        for batch in iter(lambda: list(itertools.islice(numbered, _BATCH)), []):
            complete = []
            for number, record in batch:
                problem = record.problem
                if not problem and len(record.fields) != width:
                    problem = f"Expected number of columns: {width}, found: {len(record.fields)}."
                if problem:
                    rejected.add(path, number, record.text, problem)
                else:
                    complete.append((number, record))
            if not complete:
                continue
            data = _arrow(complete, width)
            checker.register(_NAME, data)
            bad = set()
            for place, reason in _failures(problem_in, 0, len(complete)):
                number, record = complete[place]
                rejected.add(path, number, record.text, reason)
                bad.add(place)
            checker.unregister(_NAME)
            good = [place for place in range(len(complete)) if place not in bad]
            work.connection.register(_NAME, data.take(pa.array(good, pa.int64())))
            work.run(
                f"INSERT INTO {table.duckdb_name} ({listed}) SELECT {', '.join(values)} "
                f"FROM {_NAME} AS q"
            )
            work.connection.unregister(_NAME)
            inserted += len(good)
    return inserted


def _arrow(records: list[Numbered], width: int):  # type: ignore[no-untyped-def]  # pyarrow.Table
    import pyarrow as pa

    data = {
        f"f{i + 1}": pa.array([record.fields[i] for _, record in records], pa.string())
        for i in range(width)
    }
    return pa.table(data | {"place": pa.array(range(len(records)), pa.int64())})


def _failures(
    problem_in: Callable[[int, int], str], start: int, end: int
) -> Iterator[tuple[int, str]]:
    """Places of the rows that fail, and why; halves of a range that works are not looked into."""
    reason = problem_in(start, end)
    if not reason:
        return
    if end - start == 1:
        yield start, reason
        return
    middle = (start + end) // 2
    yield from _failures(problem_in, start, middle)
    yield from _failures(problem_in, middle, end)


def _problem(
    checker: duckdb.DuckDBPyConnection,
    work: Work,
    columns: list[TableColumn],
    values: list[str],
    start: int,
    end: int,
) -> str:
    import duckdb

    # max makes DuckDB work each value out.
    checks = ", ".join(
        f"max({value}){'' if column.nullable else f', bool_or(({value}) IS NULL)'}"
        for value, column in zip(values, columns, strict=True)
    )
    sql = f"SELECT {checks} FROM {_NAME} AS q WHERE q.place >= {start} AND q.place < {end}"
    try:
        row = checker.execute(sql, used_parameters(sql, work.context.parameters)).fetchall()[0]
    except duckdb.Error as error:
        return from_duckdb(error).message
    results = iter(row)
    for column in columns:
        next(results)
        if not column.nullable and next(results):
            return (
                f"Cannot insert the value NULL into column '{column.name}'; column does not "
                "allow nulls."
            )
    return ""
