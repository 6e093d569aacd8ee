"""The exact, slow way through rows of a CSV file: it names line and column of what is wrong."""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Container, Iterator, Sequence

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column
from resources.lake.dialect import Dialect
from resources.lake.values import BLANKS, parse, plain

_SHOWN = 10
#: Problems of a file after which the rest is not looked at.
MOST = 1000
_EXCERPT = 40


def numbered_rows(block: bytes, first_line: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a block of UTF-8 with their lines, without blank ones; csv.Error at a bad one."""
    reader = csv.reader(io.StringIO(block.decode(), newline=""), delimiter=delimiter)
    line = first_line
    for row in reader:
        if row:
            yield line, row
        line = first_line + reader.line_num


def find_problems(
    block: bytes,
    first_line: int,
    dialect: Dialect,
    columns: Sequence[Column],
    may_lack: Container[str],
) -> Iterator[str]:
    """Yield what is wrong, as `line 7, column mnth: '13' is not one of the codes 1 to 12`.

    `may_lack` are the columns whose values may be missing.
    """
    names = dialect.names
    plan = [(names.index(c.name), c) for c in columns if c.name in names]
    line = first_line
    try:
        for line, row in numbered_rows(block, first_line, dialect.delimiter):
            yield from _row_problems(row, line, dialect, plan, may_lack)
    except csv.Error as error:
        yield f"line {line}: {error}"


def _row_problems(
    row: list[str],
    line: int,
    dialect: Dialect,
    plan: list[tuple[int, Column]],
    may_lack: Container[str],
) -> Iterator[str]:
    width = len(dialect.names)
    if len(row) != width:
        size = "short" if len(row) < width else "long"
        yield f"line {line}: the row is too {size}: {len(row)} fields, the header has {width}"
        return
    for position, column in plan:
        text = plain(row[position], column, dialect.decimal)
        place = f"line {line}, column {column.name}"
        if not text:
            if column.name not in may_lack:
                mark = row[position].strip(BLANKS)
                if mark.casefold() == "nan":
                    yield f"{place}: {mark!r} is not a finite number"
                else:
                    yield f"{place}: the value is missing" + (f" ({mark!r})" if mark else "")
            continue
        try:
            parse(text, column)
        except ValueError as error:
            shown = row[position]
            shown = shown if len(shown) <= _EXCERPT else f"{shown[: _EXCERPT - 3]}..."
            yield f"{place}: {shown!r} {error}"


def repeated_keys(
    blocks: Iterator[tuple[int, bytes]],
    dialect: Dialect,
    keys: Sequence[Column],
    repeated: Container[tuple[object, ...]],
) -> Iterator[str]:
    """Yield the lines of rows whose key, one of `repeated`, is on an earlier line."""
    positions = [dialect.names.index(key.name) for key in keys]
    first_line: dict[tuple[object, ...], int] = {}
    for block_line, block in blocks:
        for line, row in numbered_rows(block, block_line, dialect.delimiter):
            texts = [
                plain(row[at], key, dialect.decimal)
                for at, key in zip(positions, keys, strict=True)
            ]
            if not all(texts):
                continue
            key = tuple(_stored(text, each) for text, each in zip(texts, keys, strict=True))
            if key in repeated and (earlier := first_line.setdefault(key, line)) != line:
                names, parts = ", ".join(k.name for k in keys), ", ".join(map(str, key))
                yield f"line {line}, column {names}: {parts} is already on line {earlier}"


def _stored(text: str, column: Column) -> object:
    """The value as a table of the column's type has it."""
    value = parse(text, column)
    return struct.unpack("<f", struct.pack("<f", value))[0] if column.sql_type == "real" else value


def problems_error(problems: Sequence[str], source_name: str, hint: str = "") -> InvalidInput:
    """One error for the first problems and the number of the rest."""
    first = [f"{source_name}, {problem}" for problem in problems[:_SHOWN]]
    rest = len(problems) - _SHOWN
    if rest > 0:
        first.append(f"and {rest:,} more" + (" at least" if len(problems) >= MOST else ""))
    return InvalidInput("\n".join([*first, hint] if hint else first))
