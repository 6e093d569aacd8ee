"""Offsets from UTC and time zones: SWITCHOFFSET, TODATETIMEOFFSET and AT TIME ZONE."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from resources.sql_pool.engine.conversion import convert
from resources.sql_pool.engine.dates import moment_argument
from resources.sql_pool.engine.errors import SqlError
from resources.sql_pool.engine.moments import as_timestamp, utc_time, with_offset
from resources.sql_pool.engine.scope import Typed
from resources.sql_pool.engine.types import DATETIMEOFFSET, INT, SqlType

if TYPE_CHECKING:
    from resources.sql_pool.engine.expressions import ExpressionCompiler

    Function = Callable[[ExpressionCompiler, exp.Expression], Typed]


def _offset_minutes(compiler: ExpressionCompiler, node: exp.Expression) -> str:
    value = compiler.value(node)
    return f"tsql_offset_minutes({value.sql})" if value.type.is_text else convert(value, INT).sql


def _out_of_range(function: str) -> SqlError:
    return SqlError(
        9813,
        f"The timezone provided to builtin function {function} would cause the datetimeoffset to "
        "overflow the range of valid date range in either UTC or local time.",
    )


def _switch_offset(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    moment_node, offset = compiler.arguments(node, 2, 2)
    value = convert(moment_argument(compiler, moment_node), DATETIMEOFFSET)
    utc = utc_time(value.sql)
    return Typed(f"tsql_utc_offset({utc}, {_offset_minutes(compiler, offset)})", value.type)


def _to_offset(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    moment_node, offset = compiler.arguments(node, 2, 2)
    local = as_timestamp(moment_argument(compiler, moment_node))
    minutes = _offset_minutes(compiler, offset)
    return Typed(with_offset(local, minutes, _out_of_range("todatetimeoffset")), DATETIMEOFFSET)


def at_time_zone(compiler: ExpressionCompiler, node: exp.AtTimeZone) -> Typed:
    """moment AT TIME ZONE 'UTC'; the names of other zones are Windows' and are not known here."""
    zone = compiler.value(node.args["zone"]).constant
    if zone is None or zone.upper() != "UTC":
        raise SqlError(
            9820, f"The time zone parameter '{zone}' is not supported here: only UTC is."
        )
    value = moment_argument(compiler, node.this)
    kind = SqlType(
        "datetimeoffset", scale=value.type.scale or (3 if value.type.name == "datetime" else 0)
    )
    if value.type.name == "datetimeoffset":
        return Typed(f"tsql_utc_offset({utc_time(value.sql)}, 0)", value.type)
    return Typed(with_offset(as_timestamp(value), "0"), kind)


ZONE_FUNCTIONS: dict[str, Function] = {
    "SWITCHOFFSET": _switch_offset,
    "TODATETIMEOFFSET": _to_offset,
}
