"""Result sets as COLMETADATA and ROW tokens.

Columns of a fixed width are encoded by numpy, text in one go; rows are put together by a join.
Source: [MS-TDS] 2.2.7.4, 2.2.7.17
"""

from __future__ import annotations

import itertools
import re
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bikecast.core.sql import ResultColumn, ResultSet
from bikecast.embedded.sql_pool.tds import types
from bikecast.embedded.sql_pool.tds.packets import b_varchar
from bikecast.embedded.sql_pool.tds.types import CODE_PAGE, COLLATION, Bytes2D

#: One column of some rows: a matrix of bytes, or one item a row.
Piece = Bytes2D | list[bytes]
ROWS_AT_ONCE = 8192
SHORT = 8000
_ROW = 0xD1
_NULLABLE_FLAGS = 0x0009
_DECIMAL = re.compile(r"(?:decimal|numeric)\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Encoding:
    """How a column goes over the wire: its TYPE_INFO, and the encoder of its values."""

    info: bytes
    encode: Callable[[list[object]], Piece]


def _fixed(
    width: int, pack: Callable[[list[object]], Bytes2D], filler: object
) -> Callable[[list[object]], Piece]:
    """Values of one width behind a length byte, which is 0 for NULL."""

    def encode(values: list[object]) -> Piece:
        nulls = [i for i, value in enumerate(values) if value is None]
        if nulls:
            values = values.copy()
            for i in nulls:
                values[i] = filler
        packed = np.empty((len(values), width + 1), np.uint8)
        packed[:, 0] = width
        packed[:, 1:] = pack(values)
        if not nulls:
            return packed
        items = split(packed)
        for i in nulls:
            items[i] = b"\x00"
        return items

    return encode


def split(matrix: Bytes2D) -> list[bytes]:
    """The rows of a matrix as bytes."""
    data, width = matrix.tobytes(), matrix.shape[1]
    return [data[i : i + width] for i in range(0, len(data), width)]


def _numbers(dtype: str) -> Callable[[list[object]], Bytes2D]:
    width = np.dtype(dtype).itemsize
    return lambda values: np.array(values, dtype).view(np.uint8).reshape(-1, width)


def _money(values: list[object]) -> Bytes2D:
    """Eight bytes: the upper half of the number, then the lower one."""
    packed = _numbers("<i8")([int(value.scaleb(4)) for value in values])  # type: ignore[attr-defined]
    return np.concatenate([packed[:, 4:], packed[:, :4]], axis=1)


def _small_money(values: list[object]) -> Bytes2D:
    return _numbers("<i4")([int(value.scaleb(4)) for value in values])  # type: ignore[attr-defined]


def _decimal(precision: int, scale: int) -> Encoding:
    width = 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17
    factor = 10**scale

    def pack(values: list[object]) -> Bytes2D:
        # as_integer_ratio is exact, whatever the precision of the decimal context is
        whole = [_whole(value, factor) for value in values]
        signs = np.array([[number >= 0] for number in whole], np.uint8)
        data = b"".join(abs(number).to_bytes(width - 1, "little") for number in whole)
        return np.concatenate([signs, np.frombuffer(data, np.uint8).reshape(-1, width - 1)], 1)

    return Encoding(bytes([0x6A, width, precision, scale]), _fixed(width, pack, 0))


def _whole(value: object, factor: int) -> int:
    numerator, denominator = value.as_integer_ratio()  # type: ignore[attr-defined]
    return int(numerator * factor // denominator)


def _identifiers(values: list[object]) -> Bytes2D:
    data = b"".join(value.bytes_le for value in values)  # type: ignore[attr-defined]
    return np.frombuffer(data, np.uint8).reshape(-1, 16)


def _cut(data: bytes, lengths: list[int]) -> list[bytes]:
    ends = list(itertools.accumulate(lengths))
    return [data[end - length : end] for end, length in zip(ends, lengths, strict=True)]


def _wide(values: list[str]) -> list[bytes]:
    data = "".join(values).encode("utf-16-le", "replace")
    lengths = [2 * len(value) for value in values]
    if len(data) != sum(lengths):  # some characters take two code units
        return [value.encode("utf-16-le", "replace") for value in values]
    return _cut(data, lengths)


def _narrow(values: list[str]) -> list[bytes]:
    """A character that the code page lacks becomes a question mark, as in SQL Server."""
    return _cut("".join(values).encode(CODE_PAGE, "replace"), [len(value) for value in values])


def _varying(
    code: int, collation: bytes, convert: Callable[[list], list[bytes]], empty: object, long: bool
) -> Encoding:
    """Values behind their length; those of a `long` type, which is (max), in one chunk each."""
    null = b"\xff" * (8 if long else 2)

    def encode(values: list[object]) -> Piece:
        items = convert([empty if value is None else value for value in values])
        if long:
            framed = [
                struct.pack("<QI", len(item), len(item)) + item + b"\x00\x00\x00\x00"
                if item
                else b"\x00" * 12
                for item in items
            ]
        else:
            framed = [len(item).to_bytes(2, "little") + item for item in items]
        return [null if value is None else item for value, item in zip(values, framed, strict=True)]

    info = struct.pack("<BH", code, 0xFFFF if long else SHORT) + collation
    return Encoding(info, encode)


def _text_or_binary(name: str, values: list[object]) -> Encoding:
    """The type of a text or binary column; it is (max) where a value is too long for less."""
    longest = max((len(value) for value in values if value is not None), default=0)  # type: ignore[arg-type]
    if name in ("nvarchar", "nchar"):
        size = 2 * longest
        if size > SHORT // 2:
            size = max(len(item) for item in _wide([str(v) for v in values if v is not None]))
        return _varying(0xE7, COLLATION, _wide, "", size > SHORT)
    if name in ("varchar", "char"):
        return _varying(0xA7, COLLATION, _narrow, "", longest > SHORT)
    return _varying(0xA5, b"", list, b"", longest > SHORT)


_FIXED: dict[str, Encoding] = {
    "tinyint": Encoding(b"\x26\x01", _fixed(1, _numbers("u1"), 0)),
    "smallint": Encoding(b"\x26\x02", _fixed(2, _numbers("<i2"), 0)),
    "int": Encoding(b"\x26\x04", _fixed(4, _numbers("<i4"), 0)),
    "bigint": Encoding(b"\x26\x08", _fixed(8, _numbers("<i8"), 0)),
    "bit": Encoding(b"\x68\x01", _fixed(1, _numbers("u1"), 0)),
    "real": Encoding(b"\x6d\x04", _fixed(4, _numbers("<f4"), 0)),
    "float": Encoding(b"\x6d\x08", _fixed(8, _numbers("<f8"), 0)),
    "money": Encoding(b"\x6e\x08", _fixed(8, _money, types.ZERO)),
    "smallmoney": Encoding(b"\x6e\x04", _fixed(4, _small_money, types.ZERO)),
    "uniqueidentifier": Encoding(b"\x24\x10", _fixed(16, _identifiers, uuid.UUID(int=0))),
    "date": Encoding(b"\x28", _fixed(3, types.dates, types.DAY)),
    "time": Encoding(b"\x29\x07", _fixed(5, types.times, types.MIDNIGHT)),
    "datetime2": Encoding(b"\x2a\x07", _fixed(8, types.datetimes2, types.MOMENT)),
    "datetimeoffset": Encoding(b"\x2b\x07", _fixed(10, types.offsets, types.MOMENT_UTC)),
    "datetime": Encoding(b"\x6f\x08", _fixed(8, types.datetimes, types.MOMENT)),
    "smalldatetime": Encoding(b"\x6f\x04", _fixed(4, types.small_datetimes, types.MOMENT)),
}


def encoding_of(sql_type: str, values: list[object]) -> Encoding:
    """How a column of SQL Server's type `sql_type` with these values is sent."""
    match = _DECIMAL.fullmatch(sql_type)
    if match:
        return _decimal(int(match[1]), int(match[2]))
    name = sql_type.partition("(")[0]
    return _FIXED.get(name) or _text_or_binary(name, values)


def metadata(columns: tuple[ResultColumn, ...], encodings: list[Encoding]) -> bytes:
    """The COLMETADATA token."""
    parts = [struct.pack("<BH", 0x81, len(columns))]
    for column, encoding in zip(columns, encodings, strict=True):
        parts.append(struct.pack("<IH", 0, _NULLABLE_FLAGS) + encoding.info)
        parts.append(b_varchar(column.name[:128]))
    return b"".join(parts)


def result_tokens(result: ResultSet) -> Iterator[bytes]:
    """COLMETADATA and all ROWs of a result set, some thousand rows at a time."""
    by_column = [list(column) for column in zip(*result.rows, strict=True)]
    by_column = by_column or [[] for _ in result.columns]
    encodings = [
        encoding_of(column.sql_type, values)
        for column, values in zip(result.columns, by_column, strict=True)
    ]
    yield metadata(result.columns, encodings)
    for start in range(0, len(result.rows), ROWS_AT_ONCE):
        part = [values[start : start + ROWS_AT_ONCE] for values in by_column]
        yield _rows([e.encode(values) for e, values in zip(encodings, part, strict=True)])


def _rows(pieces: list[Piece]) -> bytes:
    """ROW tokens of columns of equal length; neighbours of a fixed width become one item."""
    count = len(pieces[0])
    matrices: list[Bytes2D] = [np.full((count, 1), _ROW, np.uint8)]
    items: list[list[bytes]] = []
    for piece in pieces:
        if isinstance(piece, list):
            if matrices:
                items.append(split(np.concatenate(matrices, axis=1)))
                matrices = []
            items.append(piece)
        else:
            matrices.append(piece)
    if matrices:
        block = np.concatenate(matrices, axis=1)
        if not items:
            return block.tobytes()
        items.append(split(block))
    return b"".join(itertools.chain.from_iterable(zip(*items, strict=True)))
