"""Records of a CSV file with any terminators, in any encoding, with their text."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bikecast.embedded.sql_pool.copy.options import CopyOptions

_CHUNK = 2**20


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

    Raises UnicodeError, or OSError for a file that is not compressed as announced.
    """
    opened = gzip.open if is_compressed(path, options) else open
    encoding = "utf-8-sig" if options.encoding == "utf-8" else options.encoding
    with opened(path, "rt", encoding=encoding, newline="") as file:
        text, position, skip, ended = "", 0, options.first_row - 1, False
        while True:
            following = _next(text, position, options, skipping=skip > 0, ended=ended)
            if following is not None:
                record, position = following
                if skip:
                    skip -= 1
                else:
                    yield record
                continue
            if ended:
                return
            more = file.read(_CHUNK)
            ended = not more
            text, position = text[position:] + more, 0


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
