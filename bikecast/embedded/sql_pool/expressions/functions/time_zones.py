"""Offsets from UTC and time zones: SWITCHOFFSET, TODATETIMEOFFSET and AT TIME ZONE."""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import invalid_argument, offset_overflow
from bikecast.embedded.sql_pool.expressions.functions.dates import moment_argument
from bikecast.embedded.sql_pool.expressions.protocol import Compiler, Function
from bikecast.embedded.sql_pool.values.conversion import convert
from bikecast.embedded.sql_pool.values.moments import as_timestamp, utc_time, with_offset
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import (
    DATETIME2,
    DATETIMEOFFSET,
    INT,
    SqlType,
    nvarchar,
)

_ZONED = frozenset({"smalldatetime", "datetime", "datetime2", "datetimeoffset"})


def _offset_minutes(compiler: Compiler, node: exp.Expression) -> str:
    value = compiler.value(node)
    return f"tsql_offset_minutes({value.sql})" if value.type.is_text else convert(value, INT).sql


def _switch_offset(compiler: Compiler, node: exp.Expression) -> Typed:
    moment_node, offset = compiler.arguments(node, 2, 2)
    value = convert(moment_argument(compiler, moment_node), DATETIMEOFFSET)
    utc = utc_time(value.sql)
    return Typed(f"tsql_utc_offset({utc}, {_offset_minutes(compiler, offset)})", value.type)


def _to_offset(compiler: Compiler, node: exp.Expression) -> Typed:
    moment_node, offset = compiler.arguments(node, 2, 2)
    local = as_timestamp(moment_argument(compiler, moment_node))
    minutes = _offset_minutes(compiler, offset)
    return Typed(with_offset(local, minutes, offset_overflow("todatetimeoffset")), DATETIMEOFFSET)


def at_time_zone(compiler: Compiler, node: exp.AtTimeZone) -> Typed:
    """moment AT TIME ZONE zone, a datetimeoffset of the moment's scale."""
    value, zone = compiler.value(node.this), compiler.value(node.args["zone"])
    type_name = value.type.name
    if type_name not in _ZONED and type_name != "null":
        raise invalid_argument(type_name, 1, "AT TIME ZONE")
    if not zone.type.is_text and zone.type.name != "null":
        raise invalid_argument(zone.type.name, 2, "AT TIME ZONE")
    scale = {"null": 7, "datetime": 3}.get(type_name, value.type.scale)
    name = convert(zone, nvarchar(128)).sql
    if type_name == "datetimeoffset":
        sql = f"tsql_at_zone({utc_time(value.sql)}, {name})"
    else:
        sql = f"tsql_in_zone({convert(value, DATETIME2).sql}, {name})"
    return Typed(sql, SqlType("datetimeoffset", scale=scale), ticks=value.ticks)


ZONE_FUNCTIONS: dict[str, Function] = {
    "SWITCHOFFSET": _switch_offset,
    "TODATETIMEOFFSET": _to_offset,
}
