"""Remote procedure calls as a client sends them.

Source: [MS-TDS] 2.2.6.6
"""

from __future__ import annotations

from dataclasses import dataclass

from bikecast.embedded.sql_pool.internal import Variable
from bikecast.embedded.sql_pool.tds.packets import Fields, ProtocolError
from bikecast.embedded.sql_pool.tds.types import read_type, read_value

#: From number 1 on.
_PROCEDURES = (
    "sp_cursor sp_cursoropen sp_cursorprepare sp_cursorexecute sp_cursorprepexec "
    "sp_cursorunprepare sp_cursorfetch sp_cursoroption sp_cursorclose sp_executesql sp_prepare "
    "sp_execute sp_prepexec sp_prepexecrpc sp_unprepare"
).split()
_SEPARATORS = (0x80, 0xFF, 0xFE)
_OUTPUT, _DEFAULT, _ENCRYPTED = 0x01, 0x02, 0x08
_HEADERS_MAX = 65_536


@dataclass(frozen=True)
class Parameter:
    """A parameter of a call; `name` is without the @, and empty by position."""

    name: str
    value: Variable
    output: bool = False
    default: bool = False


@dataclass(frozen=True)
class Call:
    """One call of a procedure, by its name as the client wrote it."""

    procedure: str
    parameters: tuple[Parameter, ...]


def skip_headers(fields: Fields) -> None:
    """Pass ALL_HEADERS; what they say is not needed without MARS.

    Raises ProtocolError for headers that do not fit.
    """
    start = fields.position
    total = fields.u32()
    if not 4 <= total <= min(_HEADERS_MAX, len(fields.data) - start):
        raise ProtocolError(f"Headers of {total} bytes.")
    end = start + total
    while fields.position < end:
        length = fields.u32()
        if length < 6 or fields.position + length - 4 > end:
            raise ProtocolError(f"A header of {length} bytes.")
        fields.take(length - 4)


def read_calls(data: bytes) -> list[Call]:
    """The calls of one message, in order.

    Raises ProtocolError for a malformed one, SqlError for a parameter type that is refused.
    """
    fields = Fields(data)
    skip_headers(fields)
    calls = []
    while fields.remaining:
        calls.append(_call(fields))
    return calls


def _call(fields: Fields) -> Call:
    length = fields.u16()
    if length == 0xFFFF:
        number = fields.u16()
        if not 1 <= number <= len(_PROCEDURES):
            raise ProtocolError(f"Unknown procedure number {number}.")
        name = _PROCEDURES[number - 1]
    else:
        name = fields.characters(length)
    fields.u16()  # options: with recompile, without metadata
    parameters = []
    while fields.remaining:
        if fields.data[fields.position] in _SEPARATORS:
            fields.u8()
            break
        parameters.append(_parameter(fields))
    return Call(name, tuple(parameters))


def _parameter(fields: Fields) -> Parameter:
    name = fields.b_varchar()
    flags = fields.u8()
    if flags & _ENCRYPTED:
        raise ProtocolError("Always Encrypted is not supported.")
    wire_type = read_type(fields)
    value = read_value(fields, wire_type)
    return Parameter(
        name.removeprefix("@"),
        Variable(wire_type.sql, value),
        output=bool(flags & _OUTPUT),
        default=bool(flags & _DEFAULT),
    )
