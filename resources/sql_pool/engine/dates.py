"""Date and time functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from resources.sql_pool.engine.conversion import cast, convert
from resources.sql_pool.engine.errors import SqlError, describe, not_emulated
from resources.sql_pool.engine.scope import Typed
from resources.sql_pool.engine.types import DATE, DATETIME, DATETIME2, INT, nvarchar

if TYPE_CHECKING:
    from resources.sql_pool.engine.expressions import ExpressionCompiler

    Function = Callable[[ExpressionCompiler, exp.Expression], Typed]

_PARTS = {
    "year": ("year", "yy", "yyyy"),
    "quarter": ("quarter", "qq", "q"),
    "month": ("month", "mm", "m"),
    "dayofyear": ("dayofyear", "dy", "y"),
    "day": ("day", "dd", "d"),
    "week": ("week", "wk", "ww"),
    "weekday": ("weekday", "dw", "w"),
    "hour": ("hour", "hh"),
    "minute": ("minute", "mi", "n"),
    "second": ("second", "ss", "s"),
    "millisecond": ("millisecond", "ms"),
}
_BY_NAME = {name: part for part, names in _PARTS.items() for name in names}
_TIME_PARTS = ("hour", "minute", "second", "millisecond")
_BOUNDARY_PARTS = ("year", "quarter", "month", "day", *_TIME_PARTS)


def _part(node: exp.Expression) -> str:
    name = node.name if isinstance(node, exp.Column) and not node.table else ""
    part = _BY_NAME.get(name.lower())
    if part is None:
        raise SqlError(155, f"'{describe(node)}' is not a recognized datepart option.")
    return part


def _moment(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    value = compiler.value(node)
    if value.type.is_text:
        return convert(value, DATETIME2)
    if not value.type.is_moment:
        raise SqlError(
            8116, f"Argument data type {value.type.name} is invalid for a date function."
        )
    return value


def _clock(kind_name: str) -> Function:
    """The clock of a dedicated pool, which is UTC.

    DuckDB's now() is the transaction's start, so the time is bound when a statement is compiled.
    """
    kind = DATETIME if kind_name == "datetime" else DATETIME2

    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        import datetime

        compiler.arguments(node, 0, 0)
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        if kind is DATETIME:
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return Typed(compiler.context.bind(now, kind), kind)

    return compile_call


def _date_add(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    part_node, number_node, moment_node = compiler.arguments(node, 3, 3)
    part, number = _part(part_node), convert(compiler.value(number_node), INT)
    moment = _moment(compiler, moment_node)
    if compiler.value(moment_node).type.is_text:
        moment = convert(moment, DATETIME)
    if part in _TIME_PARTS and moment.type.name == "date":
        raise SqlError(
            9810,
            f"The datepart {part} is not supported by date function dateadd for data type date.",
        )
    function = {"dayofyear": "days", "weekday": "days"}.get(part, part + "s")
    sql = f"({moment.sql} + to_{function}(CAST({number.sql} AS INTEGER)))"
    return Typed(cast(sql, moment.type), moment.type)


def _date_diff(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    part_node, start, end = compiler.arguments(node, 3, 3)
    part = {"dayofyear": "day", "weekday": "day"}.get(_part(part_node), _part(part_node))
    first, last = _moment(compiler, start), _moment(compiler, end)
    if part not in _BOUNDARY_PARTS:
        raise not_emulated(f"DATEDIFF of {part}")
    sql = f"date_diff('{part}', CAST({first.sql} AS TIMESTAMP), CAST({last.sql} AS TIMESTAMP))"
    return Typed(cast(sql, INT), INT)


def _part_sql(part: str, moment: Typed) -> str:
    if part == "week":
        raise not_emulated("DATEPART of week")
    if part == "weekday":  # DATEFIRST is 7, so Sunday is 1
        return f"(dayofweek({moment.sql}) + 1)"
    if part == "millisecond":
        return f"(date_part('millisecond', {moment.sql}) % 1000)"
    return f"date_part('{'doy' if part == 'dayofyear' else part}', {moment.sql})"


def _date_part(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    part, moment = compiler.arguments(node, 2, 2)
    return Typed(cast(_part_sql(_part(part), _moment(compiler, moment)), INT), INT)


def _date_name(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    part_node, moment_node = compiler.arguments(node, 2, 2)
    part, moment = _part(part_node), _moment(compiler, moment_node)
    kind = nvarchar(30)
    if part in ("month", "weekday"):
        return Typed(f"{'monthname' if part == 'month' else 'dayname'}({moment.sql})", kind)
    return Typed(f"CAST({cast(_part_sql(part, moment), INT)} AS VARCHAR)", kind)


def _single_part(part: str) -> Function:
    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        moment = _moment(compiler, compiler.arguments(node, 1, 1)[0])
        return Typed(cast(_part_sql(part, moment), INT), INT)

    return compile_call


def _end_of_month(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    arguments = compiler.arguments(node, 1, 2)
    moment = convert(_moment(compiler, arguments[0]), DATE).sql
    if len(arguments) == 2:
        months = convert(compiler.value(arguments[1]), INT).sql
        moment = f"CAST({moment} + to_months({months}) AS DATE)"
    return Typed(f"last_day({moment})", DATE)


def _date_from_parts(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    parts = [convert(compiler.value(item), INT).sql for item in compiler.arguments(node, 3, 3)]
    return Typed(f"make_date({', '.join(parts)})", DATE)


DATE_FUNCTIONS: dict[str, Function] = {
    "GETDATE": _clock("datetime"),
    "GETUTCDATE": _clock("datetime"),
    "SYSDATETIME": _clock("datetime2"),
    "SYSUTCDATETIME": _clock("datetime2"),
    "DATEADD": _date_add,
    "DATEDIFF": _date_diff,
    "DATEPART": _date_part,
    "DATENAME": _date_name,
    "YEAR": _single_part("year"),
    "MONTH": _single_part("month"),
    "DAY": _single_part("day"),
    "EOMONTH": _end_of_month,
    "DATEFROMPARTS": _date_from_parts,
}
