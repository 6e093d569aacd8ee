"""The tokens of an answer, besides result sets.

Source: [MS-TDS] 2.2.7
"""

from __future__ import annotations

import datetime
import struct

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.internal import Variable, parameter_variable
from bikecast.embedded.sql_pool.tds.columns import encoding_of, split
from bikecast.embedded.sql_pool.tds.login import SERVER_VERSION, TDS_7_3, TDS_7_4
from bikecast.embedded.sql_pool.tds.packets import b_varchar, us_varchar
from bikecast.embedded.sql_pool.tds.types import COLLATION

SERVER_NAME = "bikecast"
DONE, DONE_PROCEDURE, DONE_IN_PROCEDURE = 0xFD, 0xFE, 0xFF
MORE, ERROR, COUNT, ATTENTION = 0x01, 0x02, 0x10, 0x20
BEGIN, COMMIT, ROLLBACK = 8, 9, 10
_SELECT, _CHANGE = 0xC1, 0xC3
#: Severities by error number, where an error does not carry its own.
_SEVERITIES = {1205: 13, 2627: 14, 18456: 14, 102: 15, 103010: 15, 137: 15}


def done(token: int, status: int, rows: int | None = None, *, changed: bool = False) -> bytes:
    """DONE, DONEPROC or DONEINPROC; `rows` of a result set, or the number that was changed."""
    if rows is None:
        return struct.pack("<BHHQ", token, status, 0, 0)
    return struct.pack("<BHHQ", token, status | COUNT, _CHANGE if changed else _SELECT, rows)


def error(problem: SqlError, procedure: str = "") -> bytes:
    """ERROR with SQL Server's number."""
    severity = _SEVERITIES.get(problem.number, problem.severity)
    return _text(
        0xAA, problem.number, problem.state, severity, problem.message, procedure, problem.line
    )


def info(message: str, number: int = 0) -> bytes:
    """INFO: the text of a PRINT, or another message that is no error."""
    return _text(0xAB, number, 1, 0, message, "", 1)


def _text(
    token: int, number: int, state: int, severity: int, message: str, procedure: str, line: int
) -> bytes:
    body = struct.pack("<iBB", min(number, 2**31 - 1), state & 0xFF, severity)
    body += us_varchar(message) + b_varchar(SERVER_NAME) + b_varchar(procedure)
    body += struct.pack("<i", line)
    return struct.pack("<BH", token, len(body)) + body


def _change(change: int, new: bytes, old: bytes) -> bytes:
    body = bytes([change]) + new + old
    return struct.pack("<BH", 0xE3, len(body)) + body


def transaction_change(change: int, descriptor: int) -> bytes:
    """ENVCHANGE: a transaction began, was committed or rolled back."""
    value = b"\x08" + struct.pack("<Q", descriptor)
    return _change(change, value, b"\x00") if change == BEGIN else _change(change, b"\x00", value)


def reset_done() -> bytes:
    """ENVCHANGE: the session was reset as the client asked."""
    return _change(18, b"\x00", b"\x00")


def login_accepted(version: int, packet_size: int, database: str) -> bytes:
    """What answers a login: the environment, and LOGINACK."""
    size = str(packet_size)
    major, minor, build = SERVER_VERSION
    interface = b"\x01" + struct.pack(">I", TDS_7_3 if version == TDS_7_3 else TDS_7_4)
    interface += b_varchar("Microsoft SQL Server") + struct.pack(">BBH", major, minor, build)
    return b"".join(
        [
            _change(1, b_varchar(database), b_varchar("master")),
            info(f"Changed database context to '{database}'.", 5701),
            _change(7, b"\x05" + COLLATION, b"\x00"),
            _change(2, b_varchar("us_english"), b_varchar("")),
            info("Changed language setting to us_english.", 5703),
            struct.pack("<BH", 0xAD, len(interface)) + interface,
            _change(4, b_varchar(size), b_varchar("4096")),
        ]
    )


def features_accepted(features: dict[int, bytes]) -> bytes:
    """FEATUREEXTACK."""
    parts = [bytes([name]) + struct.pack("<I", len(data)) + data for name, data in features.items()]
    return b"\xae" + b"".join(parts) + b"\xff"


def return_status(value: int = 0) -> bytes:
    """RETURNSTATUS of a procedure."""
    return struct.pack("<Bi", 0x79, value)


def return_value(ordinal: int, name: str, variable: Variable) -> bytes:
    """RETURNVALUE: an output parameter."""
    value = variable.value
    if isinstance(value, dict):  # a datetimeoffset as the engine stores it
        zone = datetime.timezone(datetime.timedelta(minutes=value["minutes"]))
        value = value["utc"].replace(tzinfo=datetime.UTC).astimezone(zone)
    try:
        info_bytes, data = _value(variable.type.declaration, value)
    except (AttributeError, OverflowError, TypeError, ValueError):
        # the procedure declared another type than the caller did
        info_bytes, data = _value(parameter_variable(value).type.declaration, value)
    head = struct.pack("<BH", 0xAC, ordinal) + b_varchar(name)
    return head + struct.pack("<BIH", 1, 0, 0) + info_bytes + data


def _value(sql_type: str, value: object) -> tuple[bytes, bytes]:
    encoding = encoding_of(sql_type, [value])
    piece = encoding.encode([value])
    return encoding.info, (piece if isinstance(piece, list) else split(piece))[0]
