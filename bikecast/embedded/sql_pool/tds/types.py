"""TYPE_INFO and values as a client sends them, and moments as numbers of the wire.

Source: [MS-TDS] 2.2.5.4 to 2.2.5.6
"""

from __future__ import annotations

import datetime
import decimal
import math
import struct
import uuid
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.internal import MAX, TYPES, SqlType, make_type
from bikecast.embedded.sql_pool.tds.packets import Fields, ProtocolError, decode_utf16

#: SQL_Latin1_General_CP1_CI_AS, the default of a dedicated pool.
COLLATION = bytes.fromhex("0904d00034")
CODE_PAGE = "cp1252"
PLP_NULL = 0xFFFFFFFFFFFFFFFF
PLP_UNKNOWN = 0xFFFFFFFFFFFFFFFE
_LONG = 0xFFFF
_DAYS = datetime.date(1900, 1, 1).toordinal()

_FIXED: dict[int, tuple[str, int]] = {
    0x1F: ("null", 0),
    0x30: ("tinyint", 1),
    0x32: ("bit", 1),
    0x34: ("smallint", 2),
    0x38: ("int", 4),
    0x7F: ("bigint", 8),
    0x3B: ("real", 4),
    0x3E: ("float", 8),
    0x3C: ("money", 8),
    0x7A: ("smallmoney", 4),
    0x3D: ("datetime", 8),
    0x3A: ("smalldatetime", 4),
}
#: Types behind a length byte: the name by length.
_NULLABLE: dict[int, dict[int, str]] = {}
_BY_CODE = {facts.wire: name for name, facts in reversed(TYPES.items()) if facts.duckdb}
for _name, _facts in TYPES.items():
    if _facts.wire in (0x26, 0x68, 0x6D, 0x6E, 0x6F, 0x24):
        _NULLABLE.setdefault(_facts.wire, {})[_facts.bytes] = _name
_DECIMALS = (0x6A, 0x6C)
_REFUSED = {
    0x22: "image",
    0x23: "text",
    0x63: "ntext",
    0x62: "sql_variant",
    0xF0: "a CLR type",
    0xF1: "xml",
    0xF3: "a table",
}


@dataclass(frozen=True)
class WireType:
    """A parameter's type as the client declared it; `encoding` is that of narrow text."""

    sql: SqlType
    is_long: bool = False
    prefix: int = 0
    """Bytes of the length before a value: 0 (fixed), 1 or 2."""
    size: int = 0
    encoding: str = CODE_PAGE


def read_type(fields: Fields) -> WireType:
    """Read a TYPE_INFO.

    Raises ProtocolError for an unknown type, SqlError for one that a dedicated pool lacks.
    """
    code = fields.u8()
    if code in _FIXED:
        name, size = _FIXED[code]
        return WireType(SqlType(name), size=size)
    if code in _NULLABLE:
        size = fields.u8()
        if size not in _NULLABLE[code]:
            raise ProtocolError(f"Type {code:#04x} with a length of {size}.")
        return WireType(SqlType(_NULLABLE[code][size]), prefix=1, size=size)
    if code in _DECIMALS:
        size, precision, scale = fields.take(3)
        if not 1 <= precision <= 38 or scale > precision:
            raise ProtocolError(f"A decimal of precision {precision} and scale {scale}.")
        return WireType(SqlType("decimal", precision=precision, scale=scale), prefix=1, size=17)
    if code == 0x28:
        return WireType(SqlType("date"), prefix=1, size=3)
    name = _BY_CODE.get(code, "")
    if name in ("time", "datetime2", "datetimeoffset"):
        scale = fields.u8()
        if scale > 7:
            raise ProtocolError(f"A scale of {scale}.")
        return WireType(make_type(name, [str(scale)]), prefix=1, size=10)
    if name:
        return _long_type(name, fields)
    if code in _REFUSED:
        raise SqlError(2715, f"A parameter of the type {_REFUSED[code]} is not supported.")
    raise ProtocolError(f"Unknown type {code:#04x}.")


def _long_type(name: str, fields: Fields) -> WireType:
    size = fields.u16()
    encoding = CODE_PAGE
    if "char" in name:
        encoding = "utf-8" if fields.take(5)[3] & 0x04 else CODE_PAGE
    if size == _LONG:
        return WireType(SqlType(name, MAX), is_long=True, encoding=encoding)
    if size > 8000:
        raise ProtocolError(f"A {name} of {size} bytes.")
    length = max(size // 2 if name.startswith("n") else size, 1)
    return WireType(SqlType(name, length), prefix=2, size=size, encoding=encoding)


def read_value(fields: Fields, wire_type: WireType) -> object:
    """Read a value; None for NULL.

    Raises ProtocolError for a value that its type cannot have.
    """
    if wire_type.is_long:
        data = _read_chunks(fields)
        return None if data is None else _decode(data, wire_type)
    if wire_type.prefix == 2:
        size = fields.u16()
        if size == _LONG:
            return None
        if size > wire_type.size:
            raise ProtocolError(f"A value of {size} bytes in a type of {wire_type.size}.")
        return _decode(fields.take(size), wire_type)
    size = fields.u8() if wire_type.prefix else wire_type.size
    if size > wire_type.size:
        raise ProtocolError(f"A value of {size} bytes in a type of {wire_type.size}.")
    return _decode(fields.take(size), wire_type) if size else None


def _read_chunks(fields: Fields) -> bytes | None:
    total = fields.u64()
    if total == PLP_NULL:
        return None
    parts = []
    while size := fields.u32():
        parts.append(fields.take(size))
    data = b"".join(parts)
    if total not in (PLP_UNKNOWN, len(data)):
        raise ProtocolError(f"A value of {len(data)} bytes that claims {total}.")
    return data


def _decode(data: bytes, wire_type: WireType) -> object:
    name = wire_type.sql.name
    if name in ("nvarchar", "nchar"):
        return decode_utf16(data)
    if name in ("varchar", "char"):
        return data.decode(wire_type.encoding, "replace")
    if name in ("varbinary", "binary"):
        return data
    try:
        return _decode_fixed(data, wire_type.sql)
    except (struct.error, OverflowError, ValueError) as error:
        raise ProtocolError(f"A value that is no {name}.") from error


def _decode_fixed(data: bytes, sql_type: SqlType) -> object:
    name = sql_type.name
    if name in ("smallint", "int", "bigint"):
        return int.from_bytes(data, "little", signed=True)
    if name == "tinyint":
        return data[0]
    if name == "bit":
        return data[0] != 0
    if name in ("real", "float"):
        (number,) = struct.unpack("<f" if len(data) == 4 else "<d", data)
        if not math.isfinite(number):
            raise SqlError(8023, f"The supplied value is not a valid instance of data type {name}.")
        return number
    if name == "decimal":
        magnitude = int.from_bytes(data[1:], "little")
        if magnitude >= 10**sql_type.precision:
            raise ValueError("more digits than the precision")
        return _scaled(magnitude if data[0] else -magnitude, sql_type.scale)
    if name in ("money", "smallmoney"):
        ordered = data[4:] + data[:4] if len(data) == 8 else data
        return _scaled(int.from_bytes(ordered, "little", signed=True), 4)
    if name == "uniqueidentifier":
        return uuid.UUID(bytes_le=data)
    return _decode_moment(data, sql_type)


def _scaled(number: int, scale: int) -> decimal.Decimal:
    sign = 1 if number < 0 else 0
    digits = tuple(int(digit) for digit in str(abs(number)))
    return decimal.Decimal((sign, digits, -scale))


def _decode_moment(data: bytes, sql_type: SqlType) -> object:
    midnight = datetime.datetime.min
    if sql_type.name == "datetime":
        days, ticks = struct.unpack("<iI", data)
        start = datetime.datetime.fromordinal(_DAYS + days)
        return start + datetime.timedelta(milliseconds=round(ticks * 10 / 3))
    if sql_type.name == "smalldatetime":
        days, minutes = struct.unpack("<HH", data)
        return datetime.datetime.fromordinal(_DAYS + days) + datetime.timedelta(minutes=minutes)
    if sql_type.name == "date":
        return datetime.date.fromordinal(int.from_bytes(data, "little") + 1)
    width = 3 if sql_type.scale <= 2 else 4 if sql_type.scale <= 4 else 5
    ticks = int.from_bytes(data[:width], "little")
    # DuckDB counts microseconds, so the seventh digit is rounded.
    moment = datetime.timedelta(microseconds=round(ticks * 10 ** (6 - sql_type.scale)))
    if sql_type.name == "time":
        return (midnight + moment).time()
    days = int.from_bytes(data[width : width + 3], "little")
    value = datetime.datetime.fromordinal(days + 1) + moment
    if sql_type.name == "datetime2":
        return value
    (minutes,) = struct.unpack("<h", data[width + 3 :])
    # as the engine stores it: the moment in UTC, and the offset
    return {"utc": value, "minutes": minutes}


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
