"""Date and time functions, and AT TIME ZONE.

Source: https://learn.microsoft.com/sql/t-sql/functions/date-and-time-data-types-and-functions-transact-sql
"""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, describe, failure
from bikecast.embedded.sql_pool.expressions.context import Compiler, Function
from bikecast.embedded.sql_pool.values.conversion import cast, convert
from bikecast.embedded.sql_pool.values.moments import (
    as_timestamp,
    local_time,
    offset_of,
    rounded,
    utc_time,
    with_offset,
)
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import (
    BIGINT,
    DATE,
    DATETIME,
    DATETIME2,
    DATETIMEOFFSET,
    INT,
    SqlType,
    nvarchar,
)

_PARTS = {
    "year": ("yy", "yyyy"),
    "quarter": ("qq", "q"),
    "month": ("mm", "m"),
    "dayofyear": ("dy", "y"),
    "day": ("dd", "d"),
    "week": ("wk", "ww"),
    "weekday": ("dw", "w"),
    "hour": ("hh",),
    "minute": ("mi", "n"),
    "second": ("ss", "s"),
    "millisecond": ("ms",),
    "microsecond": ("mcs",),
    "nanosecond": ("ns",),
    "tzoffset": ("tz",),
    "iso_week": ("isowk", "isoww"),
}
_BY_NAME = {name: part for part, names in _PARTS.items() for name in (part, *names)}
_TIME_PARTS = frozenset("hour minute second millisecond microsecond nanosecond tzoffset".split())
_DATE_PARTS = frozenset(_PARTS) - _TIME_PARTS
#: Parts that DATEADD and DATEDIFF do not count.
_ONLY_PARTS = frozenset({"tzoffset", "iso_week"})
#: The unit that DuckDB adds for a part, how many of it, and a number too many for every type.
_CALENDAR_UNITS = {
    **{part: ("month", n, 120_000) for part, n in (("year", 12), ("quarter", 3), ("month", 1))},
    **dict.fromkeys(("day", "dayofyear", "weekday"), ("day", 1, 3_700_000)),
    "week": ("day", 7, 3_700_000),
}
#: Functions whose first argument is the name of a part.
PART_FUNCTIONS = frozenset({"DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATEPART", "DATENAME"})
_SUNDAY = "DATE '1899-12-31'"
_PART_SQL = {
    "week": "tsql_week({0})",
    "weekday": "(dayofweek({0}) + 1)",
    "dayofyear": "dayofyear({0})",
    "iso_week": "weekofyear({0})",
    "millisecond": "(microsecond({0}) // 1000 % 1000)",
    "microsecond": "(microsecond({0}) % 1000000)",
    "nanosecond": "(microsecond({0}) % 1000000 * 1000)",
}


def _part(node: exp.Expression, function: str) -> str:
    name = node.name if isinstance(node, exp.Column) and not node.table else ""
    part = _BY_NAME.get(name.lower())
    if part is None and isinstance(node, exp.Literal | exp.National | exp.Parameter):
        raise SqlError(1023, f"Invalid parameter 1 specified for {function}.")
    if part is None:
        raise SqlError(155, f"'{describe(node)}' is not a recognized {function} option.")
    if part in _ONLY_PARTS and function in ("dateadd", "datediff"):
        raise failure("9810", part, function, "datetime2")
    return part


def moment_argument(compiler: Compiler, node: exp.Expression, text: SqlType = DATETIME2) -> Typed:
    """An argument as a moment; a text as the type `text`, a number as datetime."""
    value = compiler.value(node)
    if value.type.is_text or value.type.name == "null":
        is_zoned = text is DATETIME2 and value.constant and value.constant[-6:-5] in "+-"
        return convert(value, DATETIMEOFFSET if is_zoned else text)
    if value.type.is_number:
        return convert(value, DATETIME)
    if not value.type.is_moment:
        raise failure("8116", value.type.name)
    return value


def _check_part(part: str, moment: Typed, function: str) -> None:
    type_name = moment.type.name
    adds_to_old_type = function == "dateadd" and type_name in ("datetime", "smalldatetime")
    if (
        (type_name == "date" and part in _TIME_PARTS)
        or (type_name == "time" and part in _DATE_PARTS)
        or (adds_to_old_type and part in ("microsecond", "nanosecond"))
        or (part == "tzoffset" and type_name not in ("datetimeoffset", "datetime2"))
    ):
        raise failure("9810", part, function, type_name)


def _clock(type_: SqlType) -> Function:
    """The clock of a dedicated pool, which is UTC."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        compiler.arguments(node, 0, 0)
        now = compiler.context.now
        if type_ is DATETIME:
            now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if type_ is DATETIMEOFFSET:
            return Typed(with_offset(compiler.context.bind(now, DATETIME2), "0"), type_)
        return Typed(compiler.context.bind(now, type_), type_)

    return compile_call


def _date_add(compiler: Compiler, node: exp.Expression) -> Typed:
    part_node, number_node, moment_node = compiler.arguments(node, 3, 3)
    part, value = _part(part_node, "dateadd"), compiler.value(number_node)
    if value.type.name in ("decimal", "float", "real", "money", "smallmoney"):
        value = Typed(f"trunc({value.sql})", value.type)
    number = cast(convert(value, BIGINT).sql, INT)
    moment = moment_argument(compiler, moment_node, DATETIME)
    _check_part(part, moment, "dateadd")
    interval, type_name = _interval(part, number), moment.type.name
    if type_name == "time":
        return Typed(f"CAST(({moment.sql} + {interval}) AS TIME)", moment.type)
    if type_name == "datetimeoffset":
        moved = f"tsql_in_range({local_time(moment.sql)} + {interval}, '{type_name}')"
        overflow = failure("517", type_name)
        return Typed(with_offset(moved, offset_of(moment.sql), overflow), moment.type)
    moved = f"tsql_in_range({as_timestamp(moment)} + {interval}, '{type_name}')"
    return Typed(rounded(moved, moment.type), moment.type)


def _interval(part: str, number: str) -> str:
    """A number of parts as DuckDB's interval; too many months or days are as many as 10,000 years.

    DuckDB's own error for these tells neither the type nor that it is the sum that overflows.
    """
    if part == "nanosecond":
        return f"to_microseconds({number} // 1000)"
    unit, factor, most = _CALENDAR_UNITS.get(part, ("", 0, 0))
    if not unit:
        return f"to_{part}s({number})"
    count = f"(CAST({number} AS BIGINT) * {factor})"
    return f"to_{unit}s(CAST(tsql_clamped({count}, {most}) AS INTEGER))"


def _date_diff(type_: SqlType) -> Function:
    """DATEDIFF counts the boundaries of a part between two moments."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        part_node, *nodes = compiler.arguments(node, 3, 3)
        part = _part(part_node, "datediff")
        part = "day" if part in ("dayofyear", "weekday") else part
        ends = []
        for item in nodes:
            moment = moment_argument(compiler, item)
            offset = moment.type.name == "datetimeoffset"
            ends.append(utc_time(moment.sql) if offset else as_timestamp(moment))
        first, last = ends
        if part == "week":
            weeks = [f"(date_diff('day', {_SUNDAY}, CAST({end} AS DATE)) // 7)" for end in ends]
            sql = f"({weeks[1]} - {weeks[0]})"
        elif part == "nanosecond":
            sql = f"(date_diff('microsecond', {first}, {last}) * 1000)"
        else:
            sql = f"date_diff('{part}', {first}, {last})"
        macro = "tsql_difference_int" if type_ is INT else ""
        return Typed(cast(f"{macro}({sql})", type_), type_)

    return compile_call


def _part_sql(part: str, moment: Typed) -> str:
    if part == "tzoffset":
        return offset_of(moment.sql) if moment.type.name == "datetimeoffset" else "0"
    template = _PART_SQL.get(part, f"{part}({{0}})")  # date_part() has no known range
    of_day = moment.type.name == "date" and part in ("year", "month", "day")  # twice as fast
    sql = template.format(moment.sql if of_day else as_timestamp(moment))
    if part == "microsecond" and moment.ticks < 0:  # rounded up to the next one
        return f"({sql} - 1)"
    return f"({sql} + {100 * moment.ticks})" if part == "nanosecond" else sql


def _date_part(compiler: Compiler, node: exp.Expression) -> Typed:
    part_node, moment_node = compiler.arguments(node, 2, 2)
    return _part_value(compiler, _part(part_node, "datepart"), moment_node)


def _part_value(compiler: Compiler, part: str, node: exp.Expression) -> Typed:
    moment = moment_argument(compiler, node)
    _check_part(part, moment, "datepart")
    return Typed(cast(_part_sql(part, moment), INT), INT)


def _date_name(compiler: Compiler, node: exp.Expression) -> Typed:
    part_node, moment_node = compiler.arguments(node, 2, 2)
    part, moment = _part(part_node, "datename"), moment_argument(compiler, moment_node)
    _check_part(part, moment, "datename")
    type_ = nvarchar(30)
    if part in ("month", "weekday"):
        name = "monthname" if part == "month" else "dayname"
        return Typed(f"{name}({as_timestamp(moment)})", type_)
    if part == "tzoffset":
        return Typed(f"tsql_offset_text({_part_sql(part, moment)})", type_)
    return Typed(f"CAST({cast(_part_sql(part, moment), INT)} AS VARCHAR)", type_)


def _single_part(part: str) -> Function:
    return lambda compiler, node: _part_value(compiler, part, compiler.arguments(node, 1, 1)[0])


def _end_of_month(compiler: Compiler, node: exp.Expression) -> Typed:
    arguments = compiler.arguments(node, 1, 2)
    moment = as_timestamp(moment_argument(compiler, arguments[0]))
    if len(arguments) == 2:
        months = convert(compiler.value(arguments[1]), INT).sql
        moment = f"tsql_in_range({moment} + {_interval('month', months)}, 'date')"
    return Typed(f"last_day({moment})", DATE)


def _from_parts(type_: SqlType, count: int) -> Function:
    """DATEFROMPARTS and its kin; a fraction's precision is a constant."""
    dated, timed = type_.name != "time", type_.name != "date"

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        nodes = compiler.arguments(node, count, count)
        values = [compiler.value(item) for item in nodes]
        target = type_
        if type_.name in ("time", "datetime2", "datetimeoffset"):
            if not isinstance(nodes[-1], exp.Literal) or not nodes[-1].name.isdigit():
                raise failure("10760")
            scale = int(nodes[-1].name)
            if scale > 7:
                raise failure("1002", scale)
            target = SqlType(type_.name, scale=scale)
            values = values[:-1]
        parts = [convert(value, INT).sql for value in values]
        minutes = ""
        if type_.name == "datetimeoffset":
            hour, minute = parts[-2:]
            minutes, parts = f"({hour} * 60 + {minute})", parts[:-2]
        date = parts[:3] if dated else ["1900", "1", "1"]
        clock = parts[3 if dated else 0 :] if timed else []
        hour, minute, second, fraction = (*clock, *["0"] * (4 - len(clock)))
        digits = 3 if type_.name == "datetime" else target.scale
        moment = (
            f"tsql_from_parts({', '.join(date)}, {hour}, {minute}, {second}, {fraction}, "
            f"{digits}, '{type_.name}')"
        )
        if minutes:
            return Typed(with_offset(moment, minutes), target)
        return Typed(rounded(moment, target), target)

    return compile_call


def _is_date(compiler: Compiler, node: exp.Expression) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    if not value.type.is_text:
        return Typed("1" if value.type.name in ("datetime", "smalldatetime") else "0", INT)
    parsed = convert(value, DATETIME)
    blank = f"coalesce(trim({value.sql}), '') = ''"
    return Typed(f"(CASE WHEN {blank} OR TRY({parsed.sql}) IS NULL THEN 0 ELSE 1 END)", INT)


DATE_FUNCTIONS: dict[str, Function] = {
    "GETDATE": _clock(DATETIME),
    "GETUTCDATE": _clock(DATETIME),
    "SYSDATETIME": _clock(DATETIME2),
    "SYSUTCDATETIME": _clock(DATETIME2),
    "SYSDATETIMEOFFSET": _clock(DATETIMEOFFSET),
    "DATEADD": _date_add,
    "DATEDIFF": _date_diff(INT),
    "DATEDIFF_BIG": _date_diff(BIGINT),
    "DATEPART": _date_part,
    "DATENAME": _date_name,
    "YEAR": _single_part("year"),
    "MONTH": _single_part("month"),
    "DAY": _single_part("day"),
    "EOMONTH": _end_of_month,
    "DATEFROMPARTS": _from_parts(DATE, 3),
    "TIMEFROMPARTS": _from_parts(SqlType("time"), 5),
    "SMALLDATETIMEFROMPARTS": _from_parts(SqlType("smalldatetime"), 5),
    "DATETIMEFROMPARTS": _from_parts(DATETIME, 7),
    "DATETIME2FROMPARTS": _from_parts(DATETIME2, 8),
    "DATETIMEOFFSETFROMPARTS": _from_parts(DATETIMEOFFSET, 10),
    "ISDATE": _is_date,
}


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
    return Typed(with_offset(local, minutes, failure("9813", "todatetimeoffset")), DATETIMEOFFSET)


def at_time_zone(compiler: Compiler, node: exp.AtTimeZone) -> Typed:
    """moment AT TIME ZONE zone, a datetimeoffset of the moment's scale."""
    value, zone = compiler.value(node.this), compiler.value(node.args["zone"])
    type_name = value.type.name
    if type_name not in _ZONED and type_name != "null":
        raise failure("8116b", type_name, 1, "AT TIME ZONE")
    if not zone.type.is_text and zone.type.name != "null":
        raise failure("8116b", zone.type.name, 2, "AT TIME ZONE")
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
