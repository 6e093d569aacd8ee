"""FORMAT: .NET's standard and custom format strings for numbers and moments, culture en-US.

Source: https://learn.microsoft.com/dotnet/standard/base-types/formatting-types
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal

_STANDARD_MOMENTS = {
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "M": "MMMM d",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffff",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "U": "dddd, MMMM d, yyyy h:mm:ss tt",
    "Y": "MMMM yyyy",
}
_STANDARD_MOMENTS |= {letter.lower(): _STANDARD_MOMENTS[letter] for letter in "MORY"}
_TOKEN = re.compile(r"'([^']*)'|\"([^\"]*)\"|\\(.)|(([dMyHhmsftFzKg])\5*)|(.)", re.DOTALL)
_INTERVAL_TOKEN = re.compile(r"'([^']*)'|\"([^\"]*)\"|%?\\(.)|%?(([dhmsfF])\5*)", re.DOTALL)
#: How often a letter may be repeated in the format of a time.
_MOST = {"d": 8, "h": 2, "m": 2, "s": 2, "f": 7, "F": 7}
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()


def format_moment(moment: dt.datetime, pattern: str, type_name: str, minutes: int) -> str | None:
    """FORMAT of a date or time of a type; None (NULL) for a pattern that is no format.

    `moment` is the clock time, `minutes` the offset of a datetimeoffset.
    """
    if type_name == "time":
        return _format_interval(moment, pattern)
    zoned = type_name == "datetimeoffset"
    if len(pattern) == 1:
        if pattern not in _STANDARD_MOMENTS or (zoned and pattern == "U"):
            return None
        if zoned and pattern in "rRu":  # these are written in UTC
            moment, minutes = moment - dt.timedelta(minutes=minutes), 0
        pattern = _STANDARD_MOMENTS[pattern] + ("zzz" if zoned and pattern in "oO" else "")
    out: list[str] = []
    for match in _TOKEN.finditer(pattern.removeprefix("%") or "G"):
        if match[4]:
            text = _moment_field(match[4], moment, minutes if zoned else None)
            if text is None:
                return None
            if not text and match[5] == "F" and out and out[-1].endswith("."):
                out[-1] = out[-1][:-1]  # a fraction of zero takes its point away
            out.append(text)
        elif match[6] and match[6] in "'\"\\":  # nothing closes, or follows, it
            return None
        else:
            out.append(match[1] or match[2] or match[3] or match[6] or "")
    return "".join(out)


def _moment_field(token: str, moment: dt.datetime, minutes: int | None) -> str | None:
    letter, size = token[0], len(token)
    if letter == "d" and size > 2:
        name = _DAYS[moment.weekday()]
        return name[:3] if size == 3 else name
    if letter == "M" and size > 2:
        name = MONTHS[moment.month - 1]
        return name[:3] if size == 3 else name
    if letter == "y":
        return f"{moment.year % 100:0{size}d}" if size < 3 else f"{moment.year:0{size}d}"
    if letter in "fF":
        return _fraction(moment, letter, size) if size <= _MOST["f"] else None
    if letter == "t":
        return ("AM" if moment.hour < 12 else "PM")[:size]
    if letter == "g":
        return "A.D."
    if letter == "K":
        return "" if minutes is None else size * offset_text(minutes, 3)
    if letter == "z":
        return offset_text(minutes or 0, size)
    number = {
        "d": moment.day,
        "M": moment.month,
        "H": moment.hour,
        "h": moment.hour % 12 or 12,
        "m": moment.minute,
        "s": moment.second,
    }[letter]
    return f"{number:0{min(size, 2)}d}"


def _fraction(moment: dt.datetime, letter: str, size: int) -> str:
    text = f"{moment.microsecond:06d}0"[:size]
    return text.rstrip("0") if letter == "F" else text


def offset_text(minutes: int, size: int = 3) -> str:
    """An offset from UTC as +hh:mm, or, where the size is less than 3, its hours."""
    hours = f"{abs(minutes) // 60:0{min(size, 2)}d}"
    rest = f":{abs(minutes) % 60:02d}" if size > 2 else ""
    return f"{'-' if minutes < 0 else '+'}{hours}{rest}"


def _format_interval(moment: dt.datetime, pattern: str) -> str | None:
    """FORMAT of a time, which .NET takes for an interval: all but letters of fields is escaped.

    Source: https://learn.microsoft.com/dotnet/standard/base-types/custom-timespan-format-strings
    """
    clock = f"{moment.minute:02d}:{moment.second:02d}"
    fraction = f".{moment.microsecond:06d}0"
    if pattern in ("", "c", "t", "T"):
        return f"{moment.hour:02d}:{clock}{fraction if moment.microsecond else ''}"
    if pattern in ("g", "G"):
        short = f"{moment.hour}:{clock}{fraction.rstrip('0').rstrip('.')}"
        return short if pattern == "g" else f"0:{moment.hour:02d}:{clock}{fraction}"
    if len(pattern) == 1:
        return None
    out: list[str] = []
    place = 0
    while place < len(pattern):
        match = _INTERVAL_TOKEN.match(pattern, place)
        if match is None:
            return None
        place = match.end()
        if not match[4]:
            out.append(match[1] or match[2] or match[3] or "")
            continue
        letter, size = match[5], len(match[4])
        if size > _MOST[letter]:
            return None
        numbers = {"d": 0, "h": moment.hour, "m": moment.minute, "s": moment.second}
        out.append(
            f"{numbers[letter]:0{size}d}" if letter in numbers else _fraction(moment, letter, size)
        )
    return "".join(out)


def format_number(text: str, pattern: str) -> str | None:
    """FORMAT of a number, given as text; None (NULL) for a standard format that it has not."""
    value = Decimal(text)
    pattern = pattern or "G"
    standard = re.fullmatch(r"([A-Za-z])(\d{0,2})", pattern)
    if standard:
        return _standard(value, standard[1].upper(), standard[2], pattern[0])
    return _custom(value, pattern)


def _rounded(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _standard(value: Decimal, form: str, digits: str, letter: str) -> str | None:
    places = int(digits) if digits else 2
    if form in "NF":
        return format(_rounded(value, places), ",f" if form == "N" else "f")
    if form == "C":
        text = format(_rounded(abs(value), places), ",f")
        return f"(${text})" if value < 0 else f"${text}"
    if form == "P":
        return format(_rounded(value * 100, places), ",f") + "%"
    whole = value == value.to_integral_value()
    if form == "D":
        if not whole:
            return None
        return ("-" if value < 0 else "") + str(abs(int(value))).zfill(int(digits or 0))
    if form == "X":
        if not whole or value < 0:
            return None
        text = format(int(value), "x" if letter == "x" else "X")
        return text.zfill(int(digits or 0))
    if form == "E":
        text = f"{value:.{int(digits) if digits else 6}{letter}}"
        return re.sub(r"([eE])([+-])(\d+)$", lambda m: f"{m[1]}{m[2]}{int(m[3]):03d}", text)
    if form == "G":
        return format(value.normalize() if digits else value, "f")
    return None


_PLACES = re.compile(r"[0#][0#,.]*|\.[0#]+")


def _custom(value: Decimal, pattern: str) -> str:
    sections = pattern.split(";")
    if len(sections) > 2 and value == 0:
        return _section(value, sections[2])
    if len(sections) > 1 and value < 0:
        return _section(-value, sections[1])
    text = _section(abs(value), sections[0])
    return "-" + text if value < 0 and re.search(r"[1-9]", text) else text


def _section(value: Decimal, pattern: str) -> str:
    match = _PLACES.search(pattern)
    if not match:
        return pattern
    if "%" in pattern:
        value *= 100
    whole, _, fraction = match[0].partition(".")
    text = format(_rounded(value, len(fraction)), "f")
    digits, _, decimals = text.partition(".")
    least = fraction.rfind("0") + 1
    decimals = decimals[:least] + decimals[least:].rstrip("0")
    digits = digits.lstrip("0").zfill(whole.count("0"))
    if "," in whole:
        digits = re.sub(r"(?<=\d)(?=(\d{3})+$)", ",", digits)
    number = digits + ("." + decimals if decimals else "")
    around = pattern[: match.start()] + "\0" + pattern[match.end() :]
    return re.sub(r"[\\'\"]", "", around).replace("\0", number)
