"""The exact, slow way through a CSV file: it names file, line and column of what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column
from resources.lake.values import parse

_SHOWN = 10
_CHUNK = 1 << 24


def read_header(path: Path, source_name: str) -> list[str]:
    """The column names of a file.

    Raises InvalidInput for a file that is missing, empty, not UTF-8 or has a bad first line.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(_CHUNK)
    except OSError as error:
        raise InvalidInput(f"cannot read {source_name}: {error.strerror or error}") from error
    if not first:
        raise InvalidInput(f"{source_name} is empty; the first line must hold the column names")
    try:
        text = first.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{source_name}, line 1: not UTF-8 ({error.reason})") from error
    if "\r" in text.removesuffix("\r\n"):
        raise _lone_carriage_return(source_name, 1)
    names = next(iter(csv.reader([text])), [])
    if not any(name.strip() for name in names):
        raise InvalidInput(f"{source_name}, line 1: there are no column names")
    if any(not name.isprintable() for name in names):
        raise InvalidInput(f"{source_name}, line 1: a column name has a control character")
    folded = [name.casefold() for name in names]  # Spark and SQL do not tell case apart
    repeated = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if repeated:
        raise InvalidInput(f"{source_name}, line 1: columns appear twice: {', '.join(repeated)}")
    return names


def check_required(names: Sequence[str], required: Sequence[str], source_name: str) -> None:
    """Raise InvalidInput where a required column is missing from the header."""
    missing = [name for name in required if name not in names]
    if not missing:
        return
    by_fold = {name.strip().casefold(): name for name in names}
    hints = [f"{by_fold[m.casefold()]!r} is not {m!r}" for m in missing if m.casefold() in by_fold]
    raise InvalidInput(
        f"{source_name}, line 1: missing column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
        f"the file has {', '.join(names)}" + (f" ({'; '.join(hints)})" if hints else "")
    )


def check_encoding(path: Path, source_name: str) -> None:
    """Raise InvalidInput, with the line, for bytes that are not UTF-8 or a lone carriage return."""
    lines = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            chunk += file.readline()
            try:
                chunk.decode("utf-8")
            except UnicodeDecodeError as error:
                line = lines + chunk.count(b"\n", 0, error.start) + 1
                raise InvalidInput(
                    f"{source_name}, line {line}: not UTF-8 (byte 0x{chunk[error.start]:02x}); "
                    "save the file as UTF-8"
                ) from error
            if chunk.count(b"\r") != chunk.count(b"\r\n"):
                position = chunk.replace(b"\r\n", b"\n").index(b"\r")
                line = lines + chunk.replace(b"\r\n", b"\n").count(b"\n", 0, position) + 1
                raise _lone_carriage_return(source_name, line)
            lines += chunk.count(b"\n")


def _lone_carriage_return(source_name: str, line: int) -> InvalidInput:
    return InvalidInput(
        f"{source_name}, line {line}: a carriage return without a line feed; save the file with "
        "LF or CRLF line ends"
    )


def find_problems(
    path: Path,
    names: Sequence[str],
    columns: Sequence[Column],
    *,
    optional: Sequence[str],
    unique: Sequence[str],
) -> Iterator[str]:
    """Yield what is wrong, as `line 7, column mnth: '13' is not one of the codes 1 to 12`."""
    plan = [(names.index(c.name), c, c.name in optional) for c in columns if c.name in names]
    first_line: dict[tuple[object, ...], int] = {}
    rows = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        line = reader.line_num + 1
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                yield f"line {line}: {error}"
                return
            if row is None:
                break
            if row:
                rows += 1
                yield from _row_problems(row, line, len(names), plan, unique, first_line)
            line = reader.line_num + 1
    if not rows:
        yield "line 2: there is no row below the column names"


def _row_problems(
    row: list[str],
    line: int,
    width: int,
    plan: list[tuple[int, Column, bool]],
    unique: Sequence[str],
    first_line: dict[tuple[object, ...], int],
) -> Iterator[str]:
    if len(row) != width:
        size = "short" if len(row) < width else "long"
        yield f"line {line}: the row is too {size}: {len(row)} fields, the header has {width}"
        return
    values: dict[str, object] = {}
    for position, column, may_be_empty in plan:
        text = row[position]
        if not text:
            if not may_be_empty:
                yield f"line {line}, column {column.name}: the value is missing"
            continue
        try:
            values[column.name] = parse(text, column)
        except ValueError as error:
            excerpt = text if len(text) <= 40 else text[:37] + "..."
            yield f"line {line}, column {column.name}: {excerpt!r} {error}"
    if unique and all(name in values for name in unique):
        key = tuple(values[name] for name in unique)
        earlier = first_line.setdefault(key, line)
        if earlier != line:
            names, parts = ", ".join(unique), ", ".join(str(part) for part in key)
            yield f"line {line}, column {names}: {parts} is already on line {earlier}"


def problems_error(problems: Iterator[str], source_name: str) -> InvalidInput:
    """One error for the first problems and the number of the rest."""
    first: list[str] = []
    count = 0
    for problem in problems:
        count += 1
        if count <= _SHOWN:
            first.append(f"{source_name}, {problem}")
    rest = f"\nand {count - _SHOWN:,} more" if count > _SHOWN else ""
    return InvalidInput("\n".join(first) + rest)
