"""Values of the CSV contract: which texts a column takes, and what they mean.

The grammar is narrower than any one reader's, so that Arrow, Spark and COPY INTO read the same
value from the same text. The patterns serve the fast reader and the exact one alike.
"""

from __future__ import annotations

import math
import re
import struct
from calendar import monthrange
from datetime import date, datetime, time

from bikecast.core import file_kinds
from bikecast.core.spec import Column

INTEGER = r"-?[0-9]+"
NUMBER = r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
TEXT = r"[^\x00-\x1f\x7f]*"
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Marks of a missing value in columns of numbers and dates.
MISSING = (*file_kinds.MISSING, *file_kinds.DASHES)
#: An ISO moment at midnight, whose day is the value; the offset does not move the day.
MIDNIGHT = r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
#: A whole number with zeros behind the point.
WHOLE = r"(-?[0-9]+)\.0*"
#: Blanks around a number or a date that mean nothing.
BLANKS = " \t\u00a0"
_SHAPES = (
    (r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}", "%d.%m.%Y"),
    (r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}", "%Y/%m/%d"),
    (r"[0-9]{8}", "%Y%m%d"),
    (r"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}", "%d-%b-%Y"),
)
_FIRST_YEAR = 1000
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


def plain(text: str, column: Column, decimal: str = ".") -> str:
    """A field in the canonical form of its column, empty for a missing value.

    Blanks around a number or a date go, a decimal comma becomes a point, 331.0 is the whole number
    331, an ISO moment at midnight its day. What is in no such form stays as it is.
    """
    if column.sql_type == "varchar":
        return text
    text = text.strip(BLANKS)
    if text.casefold() in MISSING:
        return ""
    if column.sql_type == "date":
        moment = re.fullmatch(MIDNIGHT, text)
        return moment[1] if moment else text
    if decimal == ",":
        if "." in text:
            return text.replace(".", "..")  # no number: a point where commas are the decimal marks
        text = text.replace(",", ".")
    whole = re.fullmatch(WHOLE, text) if column.sql_type in INTEGER_BITS else None
    return whole[1] if whole else text


def parse_date(text: str, date_format: str) -> date:
    """A date in ISO format or in `date_format` (strptime).

    Raises ValueError whose message completes the sentence "'text' ...".
    """
    try:
        if _ISO_DATE.fullmatch(text):
            day = date.fromisoformat(text)
        elif text.isascii() and _blanks(text) == _blanks(date_format):
            moment = datetime.strptime(text, date_format)
            if moment.time() != time.min:
                raise ValueError("has a time of day, and the column has days")
            day = moment.date()
        else:
            raise ValueError("")
    except ValueError as error:
        if str(error).startswith("has a time"):
            raise
        form = f"is not a date of the form {date_format} or YYYY-MM-DD"
        raise ValueError(f"{form}{_shape(text, date_format)}") from None
    if day.year < _FIRST_YEAR:
        raise ValueError(f"is a date in the year {day.year}; write years with four digits")
    return day


def _blanks(text: str) -> int:
    """How many blanks a text has; strptime takes some that no other reader does."""
    return sum(map(str.isspace, text))


def _no_such_day(text: str, date_format: str) -> bool:
    """Whether the text has the layout of a date, but of a day that its month does not have."""
    numbers = tuple(map(int, re.findall("[0-9]+", text)))
    order = [part for part in re.findall("%([A-Za-z])", date_format) if part in "Ymd"]
    if _ISO_DATE.fullmatch(text):
        order = ["Y", "m", "d"]
    elif not re.fullmatch(re.sub("%[Ymd]", "[0-9]+", re.escape(date_format)), text):
        return False
    if sorted(order) != ["Y", "d", "m"] or len(numbers) != len(order):
        return False
    part = dict(zip(order, numbers, strict=True))
    return 1 <= part["m"] <= 12 and not 1 <= part["d"] <= monthrange(part["Y"] or 1, part["m"])[1]


def _shape(text: str, date_format: str) -> str:
    """Which layout of a date the text has, and what to do about it."""
    if _no_such_day(text, date_format):
        return "; there is no such day"
    for shape, date_format in _SHAPES:
        if re.fullmatch(shape, text):
            return f"; it looks like {date_format}: --date-format {date_format}"
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", text):
        return "; it has a time of day, and the column has days"
    if re.fullmatch(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}", text):
        return "; if the day is first: --date-format %d/%m/%Y"
    if re.fullmatch(r"[0-9]{5}(?:\.[0-9]+)?", text):
        return (
            "; it looks like the serial number of a spreadsheet: format the column as a date there"
        )
    return ""


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
    hint = ""
    if re.fullmatch(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?", text):
        hint = "; remove the separators of thousands"
    elif re.fullmatch(r"-?[0-9]*,[0-9]+", text):
        hint = "; if that is a decimal comma: --decimal comma"
    elif re.fullmatch(r"-?[0-9]{1,3}(?:\.[0-9]{3})+", text):
        hint = "; if that is a separator of thousands, remove it"
    elif text.casefold() in ("true", "false", "yes", "no"):
        hint = "; write 1 and 0"
    return f"is not {expected}{hint}"
