"""Time zones by their Windows names, as AT TIME ZONE and sys.time_zone_info know them.

Rules of changes: https://learn.microsoft.com/sql/t-sql/queries/at-time-zone-transact-sql
The zones' own rules are those of the IANA database, found by Unicode's table of Windows names.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

from bikecast.embedded.sql_pool.errors import SqlError, not_emulated, offset_overflow

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
        raise SqlError(
            9820,
            f"The time zone parameter '{name}' provided to AT TIME ZONE clause is invalid.",
        )
    return ZoneInfo(zone)


def _check_year(moment: dt.datetime, name: str, first: dt.datetime) -> None:
    if moment < first and not name.upper().startswith("UTC"):
        raise not_emulated(f"AT TIME ZONE '{name}' of a moment before the year {FIRST_YEAR}")


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
        raise offset_overflow("AT TIME ZONE") from error


def zone_minutes(utc: dt.datetime, name: str) -> int:
    """The minutes of a zone's offset at a moment in UTC.

    Raises SqlError as `zone_utc` does.
    """
    zone = _zone(name)
    _check_year(utc, name, _FIRST_UTC)
    try:
        offset = utc.replace(tzinfo=dt.UTC).astimezone(zone).utcoffset()
    except OverflowError as error:
        raise offset_overflow("AT TIME ZONE") from error
    return 0 if offset is None else int(offset.total_seconds() // 60)


def time_zone_info(now: dt.datetime) -> list[tuple[str, int, bool]]:
    """Name, minutes of the offset, and whether it is daylight saving time, of every zone."""
    zones = []
    for zone, name in sorted(_zones().values(), key=lambda item: item[1]):
        local = now.astimezone(ZoneInfo(zone))
        offset = local.utcoffset() or dt.timedelta()
        zones.append((name, int(offset.total_seconds() // 60), bool(local.dst())))
    return zones
