"""What people say about a CSV file whose format is not to be guessed."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from bikecast.core.errors import InvalidInput
from resources.lake.port import CsvFormat

_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
_DECIMALS = {"point": ".", "comma": ","}


def csv_format(
    *,
    rename: str = "",
    delimiter: str = "",
    decimal: str = "",
    date_format: str = "",
    encoding: str = "",
    start_date: str = "",
) -> CsvFormat:
    """The format that these texts describe; `rename` is `column=name in the file, ...`.

    A pair with a comma in it stands in quotes, as in a CSV.

    Raises InvalidInput that names the option that is wrong.
    """
    columns = renamed_columns(_parts(rename))
    delimiter = _DELIMITERS.get(delimiter, delimiter)
    if len(delimiter) > 1 or delimiter in ('"', "\n", "\r", "\x00"):
        raise InvalidInput(f"--delimiter {delimiter!r}: one character, or comma, semicolon, tab")
    decimal = _DECIMALS.get(decimal, decimal)
    if decimal not in ("", ".", ","):
        raise InvalidInput(f"--decimal {decimal!r}: point or comma")
    if encoding:
        try:
            encoding = codecs.lookup(encoding).name
            "".encode(encoding)
        except (LookupError, ValueError):
            raise InvalidInput(
                f"--encoding {encoding!r} is not a known encoding; such are utf-8, windows-1252 "
                "and utf-16"
            ) from None
    if date_format and (problem := _date_format_problem(date_format)):
        raise InvalidInput(f"--date-format {date_format!r}: {problem}; such as %d.%m.%Y")
    if start_date:
        try:
            start_date = date.fromisoformat(start_date).isoformat()
        except ValueError:
            raise InvalidInput(
                f"--start-date {start_date!r} is not a day such as 2013-01-31"
            ) from None
    return CsvFormat(columns, delimiter, decimal, date_format, encoding, start_date)


def renamed_columns(pairs: Iterable[str]) -> dict[str, str]:
    """What a file calls columns, by the columns' names, from pairs `column=name in the file`.

    Raises InvalidInput for a pair that is none.
    """
    columns = {}
    for pair in filter(None, map(str.strip, pairs)):
        name, equals, in_file = pair.partition("=")
        if not (name and equals and in_file):
            raise InvalidInput(
                f"--rename {pair!r}: say the column and its name in the file, such as rentals=cnt"
            )
        columns[name.strip()] = in_file.strip()
    return columns


def _parts(rename: str) -> list[str]:
    """The pairs of a list with commas; a pair with a comma in it stands in quotes."""
    return next(csv.reader([rename], skipinitialspace=True), [])


def _date_format_problem(date_format: str) -> str:
    """Why days cannot be read by this format of strptime; empty where they can."""
    parts = set(re.findall("%(.)", date_format.replace("%%", "")))
    has_day = parts & {"j"} or (parts & {"d"} and parts & set("mbB"))
    if not (has_day and parts & set("yY")):
        return "it needs year, month and day in the way of strptime"
    day = datetime(2011, 12, 31, tzinfo=UTC)
    try:
        if datetime.strptime(day.strftime(date_format), date_format).date() == day.date():
            return ""
    except (ValueError, re.error):
        pass
    return "strptime cannot read what it writes"
