"""Dates and times as text: reading and writing by the style numbers of CONVERT.

Source: https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
Styles 130 and 131 (Hijri calendar) are refused.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from bikecast.embedded.sql_pool.errors import SqlError, failure, refused
from bikecast.embedded.sql_pool.values.formats import MONTHS

EPOCH = dt.datetime(1900, 1, 1)
_MONTH_NUMBERS = {text.lower(): i for i, name in enumerate(MONTHS, 1) for text in (name, name[:3])}
#: In which order day, month and year are read; what is not here is mdy, as in us_english.
_ORDERS = {
    **dict.fromkeys((2, 102, 11, 111, 12, 112, 20, 21, 23, 25, 120, 121, 126, 127), "ymd"),
    **dict.fromkeys((3, 103, 4, 104, 5, 105, 6, 106, 13, 113), "dmy"),
}
#: Codes of the orders that SET DATEFORMAT names; they stand for style numbers.
DATE_ORDERS = {"mdy": 0, "dmy": -1, "ymd": -2, "ydm": -3, "myd": -4, "dym": -5}
_BY_CODE = {code: order for order, code in DATE_ORDERS.items()}
#: How a style writes the date and the time; % is followed by a field of `_field`.
_STYLES: dict[int, tuple[str, str]] = {
    0: ("%b %e %Y", "%l:%M%p"),
    1: ("%m/%d/%y", ""),
    2: ("%y.%m.%d", ""),
    3: ("%d/%m/%y", ""),
    4: ("%d.%m.%y", ""),
    5: ("%d-%m-%y", ""),
    6: ("%d %b %y", ""),
    7: ("%b %d, %y", ""),
    8: ("", "%H:%M:%S"),
    9: ("%b %e %Y", "%l:%M:%S%f%p"),
    10: ("%m-%d-%y", ""),
    11: ("%y/%m/%d", ""),
    12: ("%y%m%d", ""),
    13: ("%d %b %Y", "%H:%M:%S%f"),
    14: ("", "%H:%M:%S%f"),
    20: ("%Y-%m-%d", "%H:%M:%S"),
    21: ("%Y-%m-%d", "%H:%M:%S%F"),
    22: ("%m/%d/%y", "%l:%M:%S %p"),
    23: ("%Y-%m-%d", ""),
    126: ("%Y-%m-%d", "%H:%M:%S%Z"),
    127: ("%Y-%m-%d", "%H:%M:%S%Z"),
}
for _style in (1, 2, 3, 4, 5, 6, 7, 10, 11, 12):
    _STYLES[_style + 100] = (_STYLES[_style][0].replace("%y", "%Y"), "")
for _style, _same in ((24, 8), (25, 21), (120, 20), (121, 21)):
    _STYLES[_style] = _STYLES[_same]
for _style in (0, 8, 9, 13, 14):
    _STYLES[_style + 100] = _STYLES[_style]
STYLES = frozenset(_STYLES)

#: No text of a moment is longer.
_LONGEST = 100
_SEVEN_DIGITS = re.compile(r":\d{1,2}\.(\d{7})(?!\d)")
_TIME = re.compile(
    r"(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:([.:])(\d{1,9}))?)?)?\s*(am|pm)?", re.IGNORECASE
)
_OFFSET = re.compile(r"\s*(Z|[+-]\d{1,2}:\d{2})$", re.IGNORECASE)
_NUMERIC = re.compile(r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})")
_PACKED = re.compile(r"(\d{8}|\d{6}|\d{4})")
_NAMED = re.compile(
    r"(?:([a-z]+)\.?\s*(\d{1,2})(?:,\s*|\s+)(\d{2,4})|(\d{1,2})[ -]+([a-z]+)\.?[ ,-]+(\d{2,4})|"
    r"([a-z]+),?\s+(\d{4})|(\d{4})[ -]+([a-z]+)[ -]+(\d{1,2}))",
    re.IGNORECASE,
)


def parse_moment(text: str, type_name: str, style: int) -> dt.datetime:
    """The date and time that a text means for a type; 1900-01-01 where no date is given.

    Raises SqlError 241 for a text of no known form, 242 for a date that is out of range.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise unreadable(type_name)
    if type_name != "datetimeoffset" and (match := _OFFSET.search(text)) and ":" in text[:-3]:
        zulu = match[1].upper() == "Z"
        if type_name in ("datetime", "smalldatetime") and not zulu:
            raise unreadable()
        text = text[: match.start()]
    elif match := _OFFSET.search(text):
        text = text[: match.start()] if ":" in text[:-3] else text
    return _parse(text, type_name, style)


def parse_offset(text: str) -> int:
    """The minutes of the offset at the end of a text; 0 without one."""
    match = _OFFSET.search(text.strip())
    if not match or ":" not in text[:-3]:
        return 0
    return offset_minutes(match[1])


def offset_minutes(text: str) -> int:
    """Minutes of '+hh:mm'.

    Raises SqlError 9812 for any other text.
    """
    if text.upper() == "Z":
        return 0
    match = re.fullmatch(r"([+-])(\d{1,2}):(\d{2})", text.strip())
    minutes = int(match[2]) * 60 + int(match[3]) if match else 1000
    if not match or minutes > 14 * 60:
        raise SqlError(9812, "The timezone provided to builtin function is invalid.")
    return -minutes if match[1] == "-" else minutes


@lru_cache(maxsize=4096)
def _parse(text: str, type_name: str, style: int) -> dt.datetime:
    try:
        return _parsed(text, type_name, style)
    except SqlError as error:
        if error.number == 241 and type_name == "smalldatetime":
            raise unreadable(type_name) from error
        raise


def _parsed(text: str, type_name: str, style: int) -> dt.datetime:
    if not text:
        return EPOCH
    date, rest = _date(text, type_name, style)
    rest = rest.strip()
    if rest[:1].upper() == "T" and date is not None:
        rest = rest[1:]
    clock = _clock(rest, type_name) if rest else dt.timedelta()
    if date is None and not rest:
        raise unreadable()
    return (date or EPOCH) + clock


def unreadable(type_name: str = "") -> SqlError:
    """The error for a text that is no date or time."""
    return failure("295" if type_name == "smalldatetime" else "241")


def _date(text: str, type_name: str, style: int) -> tuple[dt.datetime | None, str]:
    for pattern, read in ((_NUMERIC, _numeric), (_NAMED, _named), (_PACKED, _packed)):
        match = pattern.match(text)
        rest = text[match.end() :] if match else ""
        if match and (not rest or rest[0] in " Tt"):
            iso = match[0] and rest[:1] in ("T", "t")
            if style < 0 and read is _numeric and not iso:
                year, month, day = _ordered(match, _BY_CODE[style], type_name)
            else:
                year, month, day = read(match, max(style, 0))
            return _checked(year, month, day, type_name), rest
    return None, text


def _numeric(match: re.Match[str], style: int) -> tuple[int, int, int]:
    first, middle, last = match[1], int(match[3]), match[4]
    order = _ORDERS.get(style, "mdy")
    if len(first) > 2:
        if len(last) > 2 or (order != "ymd" and style):
            raise unreadable()
        return int(first), middle, int(last)
    if order == "ymd" and len(last) <= 2:
        return _century(first), middle, int(last)
    if len(last) == 3:
        raise unreadable()
    if order == "dmy":
        return _century(last), middle, int(first)
    return _century(last), int(first), middle


def _ordered(match: re.Match[str], order: str, type_name: str) -> tuple[int, int, int]:
    """A date of numbers by the order of SET DATEFORMAT.

    The types since SQL Server 2008 read yyyy-mm-dd in one way; for their other texts with the year
    at another place than the order's, no documentation tells a way.
    """
    parts = [match[1], match[3], match[4]]
    older = type_name in ("datetime", "smalldatetime")
    first, last = len(parts[0]) > 2, len(parts[2]) > 2
    if (first and last) or 3 in (len(parts[0]), len(parts[2])):
        raise unreadable()
    if not older and first and match[2] == "-":
        order = "ymd"
    elif first or last:
        place = 0 if first else 2
        if not older and order[place] != "y":
            raise refused(f"The date '{match[0]}' after SET DATEFORMAT {order}")
        rest = order.replace("y", "")
        order = "y" + rest if first else rest + "y"
    if not older and order == "ydm":
        raise refused(f"The date '{match[0]}' after SET DATEFORMAT {order}")
    read = dict(zip(order, parts, strict=True))
    return _century(read["y"]), int(read["m"]), int(read["d"])


def _named(match: re.Match[str], _: int) -> tuple[int, int, int]:
    if match[1]:
        month, day, year = match[1], match[2], match[3]
    elif match[5]:
        day, month, year = match[4], match[5], match[6]
    elif match[7]:
        month, year, day = match[7], match[8], "1"
    else:
        year, month, day = match[9], match[10], match[11]
    number = _MONTH_NUMBERS.get(month.lower())
    if number is None:
        raise unreadable()
    return _century(year), number, int(day)


def _packed(match: re.Match[str], _: int) -> tuple[int, int, int]:
    digits = match[1]
    if len(digits) == 4:
        return int(digits), 1, 1
    return _century(digits[:-4]), int(digits[-4:-2]), int(digits[-2:])


def _century(year: str) -> int:
    number = int(year)
    if len(year) > 2:
        return number
    return number + (2000 if number < 50 else 1900)


def _checked(year: int, month: int, day: int, type_name: str) -> dt.datetime:
    lowest = {"datetime": 1753, "smalldatetime": 1900}.get(type_name, 1)
    highest = 2079 if type_name == "smalldatetime" else 9999
    try:
        if lowest <= year <= highest:
            return dt.datetime(year, month, day)
    except ValueError:
        pass
    raise _out_of_range(type_name)


def _out_of_range(type_name: str) -> SqlError:
    if type_name in ("datetime", "smalldatetime"):
        return failure("242", type_name)
    return unreadable()


def _clock(text: str, type_name: str) -> dt.timedelta:
    match = _TIME.fullmatch(text)
    if not match or not (match[2] or match[6]):
        raise unreadable()
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    digits = match[5] or ""
    if len(digits) > (3 if type_name in ("datetime", "smalldatetime") else 7):
        raise unreadable()
    if match[6]:
        if not 0 <= hour <= 12 and match[6].lower() == "am":
            raise unreadable()
        hour = hour % 12 + 12 * (match[6].lower() == "pm") if hour <= 12 else hour
    if hour > 23 or minute > 59 or second > 59:
        raise _out_of_range(type_name)
    scale = 3 if match[4] == ":" else len(digits)
    micros = int(digits) * 10**6 // 10**scale if digits else 0
    if len(digits) == 7:  # a microsecond is the finest step; the seventh digit rounds
        micros = (int(digits) + 5) // 10
    return dt.timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def seventh_digit(text: str) -> int:
    """The hundreds of nanoseconds by which a text's moment differs from its microseconds."""
    match = _SEVEN_DIGITS.search(text)
    return int(match[1]) - (int(match[1]) + 5) // 10 * 10 if match else 0


def moment_text(moment: dt.datetime, type_name: str, scale: int, style: int, ticks: int = 0) -> str:
    """A date and time of the type `type_name` as CONVERT to text writes it.

    `ticks` are the hundreds of nanoseconds that the moment has beyond its microseconds.
    Raises SqlError 8114 for a style that writes nothing of the type, such as a time of a date.
    """
    date, time = _STYLES[style]
    if type_name == "date":
        time = ""
    elif type_name == "time":
        date = ""
    separator = "T" if style in (126, 127) else " "
    parts = [part for part in (date, time) if part]
    if not parts:
        raise SqlError(8114, f"Error converting data type {type_name} to varchar.")
    template = separator.join(parts)
    if ticks < 0:
        moment, ticks = moment - dt.timedelta(microseconds=1), ticks + 10
    return re.sub(
        r"%(\w)", lambda match: _field(match[1], moment, type_name, scale, ticks), template
    )


def _field(letter: str, moment: dt.datetime, type_name: str, scale: int, ticks: int) -> str:
    hour = moment.hour % 12 or 12
    fields = {
        "b": MONTHS[moment.month - 1][:3],
        "e": f"{moment.day:2d}",
        "d": f"{moment.day:02d}",
        "m": f"{moment.month:02d}",
        "Y": f"{moment.year:04d}",
        "y": f"{moment.year % 100:02d}",
        "l": f"{hour:2d}",
        "H": f"{moment.hour:02d}",
        "M": f"{moment.minute:02d}",
        "S": f"{moment.second:02d}",
        "p": "AM" if moment.hour < 12 else "PM",
    }
    if letter in fields:
        return fields[letter]
    digits = 3 if type_name in ("datetime", "smalldatetime") else scale
    fraction = f"{moment.microsecond:06d}{ticks}"[:digits]
    if letter == "Z" and type_name == "datetime" and not moment.microsecond:
        return ""
    mark = ":" if letter == "f" and type_name in ("datetime", "smalldatetime") else "."
    return mark + fraction if fraction else ""
