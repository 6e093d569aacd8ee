"""Values of the CSV contract: which texts a column takes, and what they mean.

The grammar is narrower than any one reader's, so that Arrow, Spark and COPY INTO read the same
value from the same text. The patterns serve the fast reader and the exact one alike.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import date, datetime

from bikecast.core.spec import Column

INTEGER = r"-?[0-9]+"
NUMBER = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
TEXT = r"[^\x00-\x1f\x7f]*"
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
INTEGER_BITS = {"int": 32, "bigint": 64}


def pattern(column: Column) -> str:
    """The regular expression that a whole field of the column matches; dates have none."""
    if column.sql_type in INTEGER_BITS:
        return INTEGER
    return TEXT if column.sql_type in ("varchar", "date") else NUMBER


def parse(text: str, column: Column) -> int | float | str | date:
    """The value of a non-empty field.

    Raises ValueError whose message completes the sentence "'text' ...".
    """
    value: int | float | str | date
    if column.sql_type == "date":
        return parse_date(text, column.date_format)
    if column.sql_type == "varchar":
        value = _parse_text(text, column)
    elif column.sql_type in INTEGER_BITS:
        value = _parse_integer(text, column)
    else:
        value = _parse_number(text, column)
    if column.codes and value not in column.codes:
        raise ValueError(f"is not one of the codes {describe_codes(column.codes)}")
    if not isinstance(value, str):
        if column.minimum is not None and value < column.minimum:
            raise ValueError(f"is below the minimum {column.minimum:g}")
        if column.maximum is not None and value > column.maximum:
            raise ValueError(f"is above the maximum {column.maximum:g}")
    return value


def parse_date(text: str, date_format: str) -> date:
    """A date in ISO format or in `date_format` (strptime).

    Raises ValueError whose message completes the sentence "'text' ...".
    """
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
        if text.isascii():
            return datetime.strptime(text, date_format).date()
    except ValueError:
        pass
    raise ValueError(f"is not a date of the form {date_format} or YYYY-MM-DD")


def describe_codes(codes: tuple[int | str, ...]) -> str:
    """Codes for people: `1 to 12` where they are consecutive numbers, else a list."""
    numbers = [code for code in codes if isinstance(code, int)]
    if len(codes) > 2 and numbers == list(range(numbers[0], numbers[0] + len(codes))):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(str(code) for code in codes)


def _parse_text(text: str, column: Column) -> str:
    if not re.fullmatch(TEXT, text):
        raise ValueError("has a line break or another control character inside a field")
    if len(text) > column.length:
        raise ValueError(f"is longer than {column.length} characters")
    return text


def _parse_integer(text: str, column: Column) -> int:
    if not re.fullmatch(INTEGER, text):
        raise ValueError(_reason(text, "a whole number"))
    bits = INTEGER_BITS[column.sql_type]
    digits = text.lstrip("-").lstrip("0")
    value = int(text) if len(digits) < 20 else 1 << 64
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise ValueError(f"does not fit the type {column.sql_type} ({bits} bits)")
    return value


def _parse_number(text: str, column: Column) -> float:
    if not re.fullmatch(NUMBER, text):
        raise ValueError(_reason(text, "a number"))
    value = float(text)
    try:
        if column.sql_type == "real":
            struct.pack("<f", value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"does not fit the type {column.sql_type}")
    return value


def _reason(text: str, expected: str) -> str:
    if _NOT_FINITE.fullmatch(text):
        return "is not a finite number"
    return f"is not {expected}" + (" (it has spaces around it)" if text != text.strip() else "")
