"""A CSV file as a table of texts: encoding, compression and separator are recognized and said."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from bikecast.core.arrow_memory import arrow_reader
from bikecast.core.errors import InvalidInput
from bikecast.core.file_kinds import GZIP, encoding_of, kind_of

SEPARATORS = ",;\t|"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
#: The separator is judged by so many lines.
_SAMPLE_LINES = 30
_WHOLE = re.compile(r"[-+$€£¥%\s\d.,:/'TZ]*|[^,;\t|]*")
#: Bytes of a table; each takes about ten in memory.
MAX_BYTES = 1 << 30
#: Characters of the first line.
_HEADER = 1 << 20
#: Where Arrow cites the row that it cannot read; the number of its fields goes with it.
_GOT = re.compile(r", got \d+: .*", re.DOTALL)
_HELP = "Nothing was trained. Give a text file with a header line."


@dataclass(frozen=True)
class CsvTexts:
    """A file's columns as texts, an empty field as null; `notes` say how it was read."""

    table: pa.Table
    notes: tuple[str, ...]


def read_csv(path: Path, max_bytes: int = MAX_BYTES) -> CsvTexts:
    """Read a CSV with a header, separated by comma, semicolon, tab or bar, plain or gzip.

    It is held in memory whole, so more than `max_bytes`, unpacked, are refused.

    A column without a name is called "column N" by its place. Text that is not UTF-8 is read as
    Windows-1252. A first line `sep=;` names the separator.
    Raises InvalidInput where it cannot be read, has no rows, or names a column twice.
    """
    notes: list[str] = []
    text = _text(path, notes, max_bytes)
    if "\n" not in text[:_HEADER] and len(text) > _HEADER:
        raise InvalidInput(
            f"{path} cannot be read: its first line is longer than {_HEADER:,} characters. {_HELP}"
        )
    separator, skipped = _named_separator(text)
    body = text.split("\n", skipped)[skipped] if skipped else text
    separator = separator or _separator(body)
    if separator != ",":
        notes.append(f"{path.name} is separated by {_NAMES.get(separator, repr(separator))}")
    try:
        reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
        header = next(reader, [])
        names = _names(header, path, notes)
        table = pacsv.read_csv(
            arrow_reader(body.encode()),
            read_options=pacsv.ReadOptions(
                column_names=names,
                skip_rows=reader.line_num,
                block_size=min(4 * len(body) + 1, 2**31 - 1),
            ),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except (csv.Error, pa.ArrowException) as error:
        raise InvalidInput(
            f"{path} cannot be read as CSV separated by {_NAMES.get(separator, separator)}: "
            f"{_GOT.sub('', str(error))}. {_HELP}"
        ) from error
    return CsvTexts(table, tuple(notes))


def _text(path: Path, notes: list[str], max_bytes: int) -> str:
    try:
        with path.open("rb") as file:  # a device has no size, so it is read up to the limit
            content = file.read(max_bytes + 1)
        if content.startswith(GZIP):
            with gzip.open(path) as unpacked:
                content = unpacked.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidInput(f"{path} cannot be read: {error}. {_HELP}") from error
    if len(content) > max_bytes:
        raise InvalidInput(
            f"{path} cannot be read: it is larger than {max_bytes >> 20:,} MiB, and a table is "
            "held in memory. Nothing was trained. Take fewer rows, or raise BIKECAST_MAX_TABLE_MB."
        )
    if kind := kind_of(content):
        raise InvalidInput(f"{path} cannot be read: it is {kind}, not a CSV. {_HELP}")
    encoding = encoding_of(content)
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
        if encoding != "utf-8":
            notes.append(f"{path.name} is encoded in {encoding}")
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise InvalidInput(f"{path} cannot be read: {error}. {_HELP}") from error
        text = content.decode("cp1252", errors="replace")
        notes.append(f"{path.name} is not UTF-8; it is read as Windows-1252")
    if "\0" in text or not text.strip():
        what = "it holds null characters" if text.strip() else "it is empty"
        raise InvalidInput(f"{path} cannot be read: {what}. {_HELP}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _named_separator(text: str) -> tuple[str, int]:
    """The separator of Excel's first line `sep=;` and the lines that it takes."""
    first = text.split("\n", 1)[0].strip(" ").strip('"')
    is_named = len(first) == 5 and first[:4].lower() == "sep=" and first[4] in SEPARATORS
    return (first[4], 1) if is_named else ("", 0)


def _separator(text: str) -> str:
    """The one that cuts the first lines into as many columns each.

    Of several, one that leaves no other separator below the header but in numbers and dates: the
    header may have commas of its own where `1,5;2,5` follows. Else the one with the most columns.
    """
    lines = text.split("\n", _SAMPLE_LINES)
    is_cut = len(lines) > _SAMPLE_LINES

    def columns(separator: str) -> tuple[bool, bool, int, float]:
        rows = csv.reader(io.StringIO("\n".join(lines[:_SAMPLE_LINES])), delimiter=separator)
        try:
            cut = [row for row in rows if row]
        except csv.Error:
            return False, False, 0, 0.0
        if is_cut:
            cut = cut[:-1] or cut  # the last row may be cut within quotes
        counts = [len(row) for row in cut]
        share = _whole_share(cut[1:])
        return len(set(counts)) == 1 and counts[0] > 1, share == 1.0, counts[0], share

    return max(SEPARATORS, key=columns)


def _whole_share(rows: list[list[str]]) -> float:
    """The share of the cells that hold no separator, or look like a number or a date."""
    cells = [cell for row in rows for cell in row]
    return sum(_WHOLE.fullmatch(cell) is not None for cell in cells) / max(1, len(cells))


def _names(header: list[str], path: Path, notes: list[str]) -> list[str]:
    names: list[Any] = [name.strip() for name in header]
    for place, name in enumerate(names):
        if not name:
            names[place] = f"column {place + 1}"
            notes.append(f"column {place + 1} of {path.name} has no name: {names[place]!r}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInput(
            f"{path}: the header names {', '.join(map(repr, twice))} twice. Nothing was trained. "
            "Give each column a name of its own."
        )
    return names
