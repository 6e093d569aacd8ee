"""Texts as points in time: one layout for a whole column, the local clock kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Two-digit years from here on are 19xx, those below 20xx: the pivot of POSIX's strptime.
PIVOT = 69
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
#: A date in three parts, then perhaps a clock and an offset from UTC.
_PATTERN = (
    r"^\s*(?:[A-Za-z]{3,9}\.?,?\s+)?"
    r"(?P<a>\d{1,4}|[A-Za-z]{3,9})\.?(?P<s>[-/. ])\s*(?P<b>\d{1,2}|[A-Za-z]{3,9})"
    r"[.,]?[-/. ]\s*(?P<c>\d{1,4})"
    r"(?:(?:[T ]|, )\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<offset>Z|UTC|GMT|[-+]\d{2}:?\d{2}|[-+]\d{2})?)?\s*$"
)
_COMPACT = r"^(?P<a>\d{4})(?P<b>\d{2})(?P<c>\d{2})(?P<s>)(?P<hour>)(?P<minute>)(?P<second>)"
_COMPACT += r"(?P<half>)(?P<offset>)$"
#: Orders of day, month and year, in this order where nothing else tells them apart.
ORDERS = ("ymd", "mdy", "dmy")
_WORDS = {"y": "year", "m": "month", "d": "day"}


@dataclass(frozen=True)
class DateLayout:
    """How a column's dates are written: the order of year, month and day, and what is with it."""

    order: str
    short_year: bool = False
    clock: bool = False
    offset: bool = False
    compact: bool = False

    def __str__(self) -> str:
        words = [_WORDS[letter] for letter in self.order]
        text = "/".join(words)
        if self.short_year:
            text += f" (two-digit years: from {PIVOT} on 19xx)"
        text += " with a clock" if self.clock else ""
        return text + (", local time" if self.offset else "")


@dataclass(frozen=True)
class Times:
    """Points in time, numpy datetime64[s]; NaT where a text is missing or no date."""

    local: np.ndarray
    """The clock as it is written."""
    instant: np.ndarray
    """The same in UTC where the column has offsets, else `local`."""


def parse(texts: pa.Array, layout: DateLayout) -> Times:
    """Read texts by a layout."""
    fields = _fields(texts, compact=layout.compact)
    local = _local(fields, layout.order, short=layout.short_year)
    return Times(local, local - _offsets(fields["offset"]) if layout.offset else local)


def date_layouts(texts: pa.Array, enough: float = 1.0) -> list[DateLayout]:
    """Layouts that read at least this share of the texts, the likeliest first.

    `texts` are in the file's order: of several orders of day, month and year, the one in which
    they rise or fall throughout is likelier, then the one in which they lie close together.
    """
    for compact in (False, True):
        fields = _fields(texts, compact=compact)
        fitting = ~np.equal(fields["a"], "")
        if not len(texts) or fitting.mean() < enough:
            continue
        layouts = []
        for order in ORDERS:
            short = _is_short(fields, order, fitting)
            local = _local(fields, order, short=short)
            dated = ~np.isnat(local)
            if dated.mean() < enough or (compact and not _plausible(local[dated])):
                continue
            layout = DateLayout(
                order,
                short,
                bool((fields["hour"] != "").any()),
                bool((fields["offset"] != "").any()),
                compact,
            )
            layouts.append((_unlikely(local[dated], order, fields["s"], short=short), layout))
        if layouts:
            return [layout for _, layout in sorted(layouts, key=lambda entry: entry[0])]
    return []


def _unlikely(
    local: np.ndarray, order: str, separators: np.ndarray, *, short: bool
) -> tuple[bool, float, int]:
    steps = np.diff(local).astype(np.int64)
    is_ordered = len(steps) > 1 and bool((steps >= 0).all() or (steps <= 0).all())
    span = float(np.ptp(local.astype("datetime64[D]").astype(np.int64))) if len(local) else 0.0
    # Days and months swapped span about as long; with short years the span tells the year.
    scale = round(np.log2(1 + span) / 2) if short else 0
    preferred = "dmy" if (separators != "/").any() else "mdy"
    return not is_ordered, scale, 0 if order == preferred else 1 + ORDERS.index(order)


def _fields(texts: pa.Array, *, compact: bool) -> dict[str, np.ndarray]:
    """The parts of each text as texts, all empty where it is no date."""
    parts = pc.extract_regex(texts, _COMPACT if compact else _PATTERN)
    names = "a s b c hour minute second half offset".split()
    return {
        name: np.asarray(
            pc.fill_null(pc.struct_field(parts, name), "").to_numpy(zero_copy_only=False),
            dtype=str,
        )
        for name in names
    }


def _is_short(fields: dict[str, np.ndarray], order: str, fitting: np.ndarray) -> bool:
    years = fields["abc"[order.index("y")]][fitting]
    return bool((np.char.str_len(years) <= 2).all())


def _local(fields: dict[str, np.ndarray], order: str, *, short: bool) -> np.ndarray:
    """The local clock; NaT where a part is out of its range."""
    by_letter = {letter: fields["abc"[place]] for place, letter in enumerate(order)}
    year, day = _numbers(by_letter["y"]), _numbers(by_letter["d"])
    month = _numbers(_month_numbers(by_letter["m"]))
    wanted = 2 if short else 4
    right = np.char.str_len(by_letter["y"]) == wanted
    if short:
        year = np.where(year >= PIVOT, 1900, 2000) + year
    else:
        right &= year >= 1000
    right &= (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    hour, minute, second = (_numbers(fields[name]) for name in ("hour", "minute", "second"))
    hour, minute, second = (np.maximum(part, 0) for part in (hour, minute, second))
    half = np.char.lower(np.char.replace(fields["half"], ".", ""))
    hour = np.where((half == "am") & (hour == 12), 0, hour)
    hour = np.where((half == "pm") & (hour < 12), hour + 12, hour)
    right &= (hour <= 23) & (minute <= 59) & (second <= 60)
    years = np.where(right, year, 1970) - 1970
    months = (years * 12 + np.where(right, month, 1) - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (np.where(right, day, 1) - 1)
    right &= days.astype("datetime64[M]") == months  # the 31st of a month with 30 days
    clock = hour * 3600 + minute * 60 + second
    local: np.ndarray = days.astype("datetime64[s]") + clock.astype("timedelta64[s]")
    local[~right] = np.datetime64("NaT")
    return local


def _numbers(texts: np.ndarray) -> np.ndarray:
    """Whole numbers; -1 where a text is none."""
    digits = np.char.isdigit(texts)
    return np.where(digits, texts, "-1").astype(np.int64)


def _month_numbers(texts: np.ndarray) -> np.ndarray:
    """Names of months, in English, as numbers."""
    names = np.char.lower(texts)
    numbers = texts.copy()
    for number, name in enumerate(_MONTHS, start=1):
        numbers[np.char.startswith(names, name)] = str(number)
    return numbers


def _offsets(texts: np.ndarray) -> np.ndarray:
    unique, places = np.unique(texts, return_inverse=True)
    seconds = []
    for text in unique:
        match = re.fullmatch(r"([-+])(\d{2}):?(\d{2})?", text)
        size = int(match[2]) * 3600 + int(match[3] or 0) * 60 if match else 0
        seconds.append(-size if match and match[1] == "-" else size)
    return np.array(seconds, dtype="timedelta64[s]")[places]


def _plausible(local: np.ndarray) -> bool:
    """Eight digits are dates only of these two centuries."""
    years = local.astype("datetime64[Y]").astype(int) + 1970
    return bool(((years >= 1900) & (years < 2100)).all())


def date_parts(local: np.ndarray, *, clock: bool) -> dict[str, np.ndarray]:
    """Day, month, year and weekday (Monday is 0), with a clock hour and minute; int64.

    What they are where a time is NaT has no meaning.
    """
    filled = np.where(np.isnat(local), np.datetime64(0, "s"), local)
    days = filled.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    parts = {
        "day": (days - months).astype(np.int64) + 1,
        "month": months.astype(np.int64) % 12 + 1,
        "year": days.astype("datetime64[Y]").astype(np.int64) + 1970,
        "weekday": (days.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
    }
    if clock:
        minutes = (filled - days).astype(np.int64) // 60
        parts |= {"hour": minutes // 60, "minute": minutes % 60}
    return parts


def labels(times: np.ndarray) -> pa.Array:
    """ISO texts that sort like the times; NaT as null."""
    return pa.array(np.datetime_as_string(times).astype(object), mask=np.isnat(times))
