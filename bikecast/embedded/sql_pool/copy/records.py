"""Records of a CSV file with any terminators and in any encoding, loaded one by one."""
# ruff: noqa: S608 # names are quoted, values are columns of an Arrow table

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn
from bikecast.embedded.sql_pool.copy.options import CopyOptions, RejectedRows
from bikecast.embedded.sql_pool.errors import failure, from_duckdb
from bikecast.embedded.sql_pool.values.scope import quoted
from bikecast.embedded.sql_pool.work import Work, used_parameters

if TYPE_CHECKING:
    import duckdb


_CHUNK = 2**20
LARGEST_RECORD = 64 * 2**20
"""Characters; a model in hexadecimal digits is one row."""
#: Ends of lines with the value of ROWTERMINATOR that stands for each.
_ENDS = {"\r\n": "\\r\\n", "\n": "0x0A", "\r": "0x0D"}


@dataclass(frozen=True)
class Record:
    """A record: its text, and its fields (None for an empty one) or what is wrong with it."""

    text: str
    fields: list[str | None]
    problem: str = ""


def is_compressed(path: Path, options: CopyOptions) -> bool:
    """Whether a file is compressed by gzip: as COMPRESSION says, else by its name."""
    return path.suffix.lower() == ".gz" if options.compressed is None else options.compressed


def read_records(path: Path, options: CopyOptions) -> Iterator[Record]:
    """The records from FIRSTROW on; rows before it are skipped by row terminators alone.

    Raises UnicodeError, OSError for a file that is not compressed as announced, and SqlError
    where ROWTERMINATOR leads to a row of more than LARGEST_RECORD or to fewer than FIRSTROW.
    """
    opened = gzip.open if is_compressed(path, options) else open
    encoding = "utf-8-sig" if options.encoding == "utf-8" else options.encoding
    with opened(path, "rt", encoding=encoding, newline="") as file:
        text, position, skip, ended = "", 0, options.first_row - 1, False
        skipped = ""
        while True:
            following = _next(text, position, options, skipping=skip > 0, ended=ended)
            if following is not None:
                record, position = following
                skipped = record.text if skip else ""
                if skip:
                    skip -= 1
                else:
                    yield record
                continue
            if ended and (hint := terminator_hint(skipped, options)):
                raise failure("13812g", path, hint)
            if ended:
                return
            pending = len(text) - position
            if pending > LARGEST_RECORD:
                raise failure(
                    "13812b", path, LARGEST_RECORD, terminator_hint(text[position:], options)
                )
            more = file.read(max(_CHUNK, pending))  # twice as much each time: a row is read once
            ended = not more
            text, position = text[position:] + more, 0


def terminator_hint(text: str, options: CopyOptions) -> str:
    """What to write where the lines inside of a record's text end otherwise than records do."""
    if options.row_end == "\n":
        text = text.removesuffix("\r")  # a Windows line, not one that ends in \r alone
    end = next((end for end in _ENDS if end in text), "")
    if not end or end == options.row_end:
        return ""
    return (
        f" Its lines end in {_ENDS[end]}, but ROWTERMINATOR is "
        f"{_ENDS.get(options.row_end, options.row_end)}: write ROWTERMINATOR = '{_ENDS[end]}'."
    )


def _next(
    text: str, position: int, options: CopyOptions, *, skipping: bool, ended: bool
) -> tuple[Record, int] | None:
    """The record at a position and where the next one starts; None where the text ends first."""
    if position >= len(text):
        return None
    end = text.find(options.row_end, position)
    if end < 0 and not ended:
        return None
    line = text[position : end if end >= 0 else len(text)]
    after = end + len(options.row_end) if end >= 0 else len(text)
    if skipping:
        return Record(line, []), after
    if not options.quote or options.quote not in line:
        return Record(line, [field or None for field in line.split(options.delimiter)]), after
    return _quoted(text, position, options, ended=ended)


def _quoted(
    text: str, start: int, options: CopyOptions, *, ended: bool
) -> tuple[Record, int] | None:
    quote, delimiter, row_end = options.quote, options.delimiter, options.row_end
    fields: list[str | None] = []
    position = start
    while True:
        if text.startswith(quote, position):
            close = _closing(text, position + 1, quote)
            if close < 0 or (close + len(row_end) + len(delimiter) >= len(text) and not ended):
                if not ended:
                    return None
                if close < 0:
                    return Record(text[start:], [], "a quote is not closed"), len(text)
            fields.append(text[position + 1 : close].replace(quote * 2, quote))
            position = close + 1
        else:
            ends = [text.find(mark, position) for mark in (delimiter, row_end)]
            end = min((place for place in ends if place >= 0), default=len(text))
            if end == len(text) and not ended:
                return None
            fields.append(text[position:end] or None)
            position = end
        if text.startswith(row_end, position):
            return Record(text[start:position], fields), position + len(row_end)
        if position >= len(text):
            return Record(text[start:position], fields), position
        if not text.startswith(delimiter, position):
            end = text.find(row_end, position)
            end = end if end >= 0 else len(text)
            problem = "text follows a closing quote"
            return Record(text[start:end], [], problem), min(end + len(row_end), len(text))
        position += len(delimiter)


def _closing(text: str, position: int, quote: str) -> int:
    """The position of the quote that closes a field; a doubled one does not."""
    while True:
        place = text.find(quote, position)
        if place < 0 or not text.startswith(quote, place + 1):
            return place
        position = place + 2


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
                    problem += terminator_hint(record.text, options)
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
