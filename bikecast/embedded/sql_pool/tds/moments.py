"""Dates and times of a result set as bytes, a column at a time.

A day counts from 0001-01-01 (datetime and smalldatetime: 1900-01-01), a time of scale 7 in
100 nanoseconds. Source: [MS-TDS] 2.2.5.5.1.8
"""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import numpy.typing as npt

Bytes2D = npt.NDArray[np.uint8]

#: Fillers that stand for NULL while a column is packed.
ZERO = decimal.Decimal(0)
DAY = datetime.date(2000, 1, 1)
MIDNIGHT = datetime.time()
MOMENT = datetime.datetime(2000, 1, 1)  # T-SQL's datetimes have no zone
MOMENT_UTC = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)

_DAY_MICROSECONDS = 86_400_000_000
_UNIX = datetime.date(1970, 1, 1).toordinal()
_FROM_YEAR_1 = _UNIX - 1
_FROM_1900 = _UNIX - datetime.date(1900, 1, 1).toordinal()


def _low_bytes(numbers: npt.NDArray[np.int64], count: int) -> Bytes2D:
    return np.ascontiguousarray(numbers, "<i8").view(np.uint8).reshape(-1, 8)[:, :count]


def _days_and_microseconds(
    values: list[object],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Days since 1970-01-01 and microseconds of the day."""
    moments = np.array(values, "datetime64[us]").astype(np.int64)
    days, rest = np.divmod(moments, _DAY_MICROSECONDS)
    return days, rest


def dates(values: list[object]) -> Bytes2D:
    """datetime.date values as date."""
    days = np.array(values, "datetime64[D]").astype(np.int64)
    return _low_bytes(days + _FROM_YEAR_1, 3)


def times(values: list[object]) -> Bytes2D:
    """datetime.time values as time(7)."""
    ticks = [
        (((v.hour * 60 + v.minute) * 60 + v.second) * 1_000_000 + v.microsecond) * 10  # type: ignore[attr-defined]
        for v in values
    ]
    return _low_bytes(np.array(ticks, np.int64), 5)


def datetimes2(values: list[object]) -> Bytes2D:
    """datetime.datetime values as datetime2(7)."""
    days, rest = _days_and_microseconds(values)
    return np.concatenate([_low_bytes(rest * 10, 5), _low_bytes(days + _FROM_YEAR_1, 3)], axis=1)


def offsets(values: list[object]) -> Bytes2D:
    """datetime.datetime values with an offset as datetimeoffset(7)."""
    utc: list[object] = [v.astimezone(datetime.UTC).replace(tzinfo=None) for v in values]  # type: ignore[attr-defined]
    minutes = [v.utcoffset().total_seconds() // 60 for v in values]  # type: ignore[attr-defined]
    return np.concatenate([datetimes2(utc), _low_bytes(np.array(minutes, np.int64), 2)], axis=1)


def datetimes(values: list[object]) -> Bytes2D:
    """datetime.datetime values as datetime: days, and 1/300 seconds."""
    days, rest = _days_and_microseconds(values)
    ticks = (rest * 3 + 5_000) // 10_000
    return np.concatenate([_low_bytes(days + _FROM_1900, 4), _low_bytes(ticks, 4)], axis=1)


def small_datetimes(values: list[object]) -> Bytes2D:
    """datetime.datetime values as smalldatetime: days, and minutes."""
    days, rest = _days_and_microseconds(values)
    minutes = rest // 60_000_000
    return np.concatenate([_low_bytes(days + _FROM_1900, 2), _low_bytes(minutes, 2)], axis=1)
