"""Conversion to and from the date and time types, as DuckDB SQL, and Windows' time zones.

datetimeoffset is a struct of the moment in UTC and the minutes of the offset, so that values
compare by the moment and keep their offset.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from bikecast.embedded.sql_pool.errors import SqlError, failure, marked, refused
from bikecast.embedded.sql_pool.values.moment_text import STYLES, seventh_digit, unreadable
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import SCALED_MOMENTS, SqlType

_DEFAULT_STYLES = {"date": 23, "datetime": 0, "smalldatetime": 0, "time": 21}
_HIJRI = (130, 131)
_ISO_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _check_style(style: int, source: SqlType, target: str) -> int:
    if style in _HIJRI or style not in STYLES:
        raise failure("281", style, source.name, target)
    return style


def moment_text(value: Typed, style: int | None) -> str:
    """A moment as text, by a style of CONVERT."""
    type_ = value.type
    number = _DEFAULT_STYLES.get(type_.name, 121) if style is None else style
    _check_style(number, type_, "character string")
    if type_.name == "datetimeoffset":
        if number in (27, 127):
            utc = f"{utc_time(value.sql)}, 'datetime2', {type_.scale}, 127, {value.ticks}"
            return f"(tsql_moment_text({utc}) || 'Z')"
        local = local_time(value.sql)
        text = f"tsql_moment_text({local}, 'datetime2', {type_.scale}, {number}, {value.ticks})"
        space = "" if number == 126 else " "
        return f"({text} || '{space}' || tsql_offset_text({offset_of(value.sql)}))"
    scale = f"{type_.scale}, {number}, {value.ticks}"
    return f"tsql_moment_text({as_timestamp(value)}, '{type_.name}', {scale})"


def ticks(value: Typed, to: SqlType) -> int:
    """What the seventh digit of a constant adds to its microseconds, in hundreds of nanoseconds."""
    if to.name not in SCALED_MOMENTS or to.scale < 7:
        return 0
    if value.type.is_moment:
        return value.ticks if value.type.scale == 7 else 0
    return seventh_digit(value.constant or "") if value.type.is_text else 0


def as_timestamp(value: Typed) -> str:
    """A moment as DuckDB's TIMESTAMP; a time is one of 1900-01-01, an offset counts as local."""
    if value.type.name == "time":
        return f"(DATE '1900-01-01' + {value.sql})"
    if value.type.name == "datetimeoffset":
        return local_time(value.sql)
    return f"CAST({value.sql} AS TIMESTAMP)" if value.type.name == "date" else value.sql


def utc_time(sql: str) -> str:
    """The moment of a datetimeoffset; DuckDB gives the fields of a NULL struct no type."""
    return f"CAST(({sql}).utc AS TIMESTAMP)"


def offset_of(sql: str) -> str:
    """The minutes of a datetimeoffset's offset."""
    return f"CAST(({sql}).minutes AS INTEGER)"


def local_time(sql: str) -> str:
    """The clock time of a datetimeoffset."""
    return f"tsql_local_time({sql})"


def with_offset(local: str, minutes: str, error: SqlError | None = None) -> str:
    """A datetimeoffset from a clock time and its offset in minutes.

    The compiled SQL raises `error` (without one 241) where that is in UTC no moment of the years
    1 to 9999.
    """
    text = text_literal(marked(error or unreadable()))
    return f"tsql_offset_value({local}, CAST({minutes} AS INTEGER), {text})"


def to_moment(value: Typed, to: SqlType, style: int | None) -> str:
    """A text, number or moment as a date or time type."""
    source = value.type
    if source.is_number:
        return _number_to_moment(value, to)
    if source.is_text:
        return _text_to_moment(value, to, style)
    if not source.is_moment:
        raise failure("529", source.name, to.name)
    if source.name == "time" and to.name == "date":
        raise failure("529", "time", "date")
    if to.name == "datetimeoffset":
        if source.name == "datetimeoffset":
            sql = rounded(utc_time(value.sql), to)
            return f"tsql_utc_offset({sql}, {offset_of(value.sql)})"
        return with_offset(rounded(as_timestamp(value), to), "0")
    return rounded(as_timestamp(value), to)


def _number_to_moment(value: Typed, to: SqlType) -> str:
    if to.name not in ("datetime", "smalldatetime"):
        raise failure("529", value.type.name, to.name)
    days = f"CAST(round(CAST({value.sql} AS DOUBLE) * 86400000000) AS BIGINT)"
    moment = f"(TIMESTAMP '1900-01-01' + to_microseconds({days}))"
    return rounded(f"tsql_datetime_range({moment}, '{to.name}')", to)


def _text_to_moment(value: Typed, to: SqlType, style: int | None) -> str:
    number = 0 if style is None else _check_style(style, value.type, "datetime")
    sql = f"tsql_moment({value.sql}, '{to.name}', {number})"
    if number == 0 and to.name in ("date", "datetime2") and _is_iso_date(value):
        sql = f"TIMESTAMP {value.sql}"  # these types read it in one way, whatever DATEFORMAT is
    if to.name == "datetimeoffset":
        return with_offset(rounded(sql, to), f"tsql_parse_offset({value.sql})")
    return rounded(sql, to)


def _is_iso_date(value: Typed) -> bool:
    """Whether a constant is a day as yyyy-mm-dd."""
    text = value.constant or ""
    if value.sql != f"'{text}'" or not _ISO_DATE.fullmatch(text):
        return False
    try:
        return bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def rounded(sql: str, to: SqlType) -> str:
    """A TIMESTAMP rounded to the steps of a type, as that type."""
    if to.name == "date":
        return f"CAST({sql} AS DATE)"
    if to.name == "datetime":
        return f"tsql_round_datetime({sql})"
    if to.name == "smalldatetime":  # 29.999 seconds round up; the type ends in June 2079
        return f"tsql_small_datetime({sql})"
    step = int(10 ** max(6 - to.scale, 0))
    moment = sql if step == 1 else f"tsql_round_time({sql}, {step})"
    return f"CAST({moment} AS TIME)" if to.name == "time" else moment


#: Windows has rules by the year from here on; it reads all years before by the first of them.
FIRST_YEAR = 2007
_FIRST_UTC = dt.datetime(FIRST_YEAR - 1, 12, 31)


@lru_cache(maxsize=1)
def _zones() -> dict[str, tuple[str, str]]:
    """The IANA zone and the Windows name, by the Windows name in lower case."""
    from tzlocal.windows_tz import win_tz

    return {name.lower(): (zone, name) for name, zone in win_tz.items()}


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    zone, _ = _zones().get(name.lower() if name.isascii() else "", ("", ""))
    if not zone:
        raise failure("9820", name)
    return ZoneInfo(zone)


def _check_year(moment: dt.datetime, name: str, first: dt.datetime) -> None:
    if moment < first and not name.upper().startswith("UTC"):
        raise refused(f"AT TIME ZONE '{name}' of a moment before the year {FIRST_YEAR}")


def zone_utc(local: dt.datetime, name: str) -> dt.datetime:
    """The moment, in UTC, of a clock time in a zone.

    A time that the clock skips or shows twice is read by the offset before the change. Raises
    SqlError 9820 for an unknown zone, 9813 for a moment that is out of range.
    """
    zone = _zone(name)
    _check_year(local, name, dt.datetime(FIRST_YEAR, 1, 1))
    try:
        return local.replace(tzinfo=zone, fold=0).astimezone(dt.UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise failure("9813", "AT TIME ZONE") from error


def zone_minutes(utc: dt.datetime, name: str) -> int:
    """The minutes of a zone's offset at a moment in UTC.

    Raises SqlError as `zone_utc` does.
    """
    zone = _zone(name)
    _check_year(utc, name, _FIRST_UTC)
    try:
        offset = utc.replace(tzinfo=dt.UTC).astimezone(zone).utcoffset()
    except OverflowError as error:
        raise failure("9813", "AT TIME ZONE") from error
    return 0 if offset is None else int(offset.total_seconds() // 60)


def time_zone_info(now: dt.datetime) -> list[tuple[str, int, bool]]:
    """Name, minutes of the offset, and whether it is daylight saving time, of every zone."""
    zones = []
    for zone, name in sorted(_zones().values(), key=lambda item: item[1]):
        local = now.astimezone(ZoneInfo(zone))
        offset = local.utcoffset() or dt.timedelta()
        zones.append((name, int(offset.total_seconds() // 60), bool(local.dst())))
    return zones
