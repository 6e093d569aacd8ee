"""Aggregate and window functions."""
# the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import re

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import PARSE_ERROR, SqlError, failure, near, refused
from bikecast.embedded.sql_pool.expressions.context import Compiler
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.values.conversion import cast, convert
from bikecast.embedded.sql_pool.values.operators import equality_key
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import (
    BIGINT,
    FLOAT,
    INT,
    MAX,
    SqlType,
    decimal,
    nvarchar,
    varchar,
)

AGGREGATES = frozenset(
    "COUNT COUNT_BIG SUM AVG MIN MAX STDEV STDEVP VAR VARP STRING_AGG APPROX_COUNT_DISTINCT".split()
)
RANKINGS = frozenset(
    "ROW_NUMBER RANK DENSE_RANK NTILE LAG LEAD FIRST_VALUE LAST_VALUE PERCENT_RANK CUME_DIST "
    "PERCENTILE_CONT PERCENTILE_DISC".split()
)
_STATISTICS = {
    "STDEV": "stddev_samp",
    "STDEVP": "stddev_pop",
    "VAR": "var_samp",
    "VARP": "var_pop",
}
_SUM_TYPES = {"tinyint": INT, "smallint": INT, "int": INT, "bigint": BIGINT, "real": FLOAT}


def aggregate(
    compiler: Compiler,
    node: exp.Expression,
    *,
    over: str = "",
    order: exp.Expression | None = None,
) -> Typed:
    """Compile an aggregate; `over` is the window behind it, `order` that of WITHIN GROUP."""
    only(node, "this", "expressions")
    name = node.name.upper()
    arguments = compiler.arguments(node, 1, 2 if name == "STRING_AGG" else 1)
    if order is not None and name != "STRING_AGG":
        raise SqlError(10757, f"The function '{name}' may not have a WITHIN GROUP clause.")
    distinct = ""
    if isinstance(arguments[0], exp.Distinct):
        only(arguments[0], "expressions")
        if len(arguments[0].expressions) != 1:
            raise near("DISTINCT")
        if over:
            raise SqlError(10759, "Use of DISTINCT is not allowed with the OVER clause.")
        distinct, arguments = "DISTINCT ", arguments[0].expressions
        if isinstance(arguments[0], exp.Star):
            raise near("*")
    if name == "APPROX_COUNT_DISTINCT":  # exact: within every bound that is documented
        if over or distinct or isinstance(arguments[0], exp.Star):
            raise near(name)
        return _count(compiler, "COUNT_BIG", arguments[0], "DISTINCT ", "")
    if name in ("COUNT", "COUNT_BIG"):
        return _count(compiler, name, arguments[0], distinct, over)
    if arguments[0].find(exp.Window) is not None:
        raise failure("4109")
    if arguments[0].find(exp.Select) is not None:
        raise failure("130")
    value = compiler.value(arguments[0])
    if name == "STRING_AGG":
        return _string_agg(compiler, value, arguments, order, over)
    if name in ("MIN", "MAX"):
        if value.type.name in ("bit", "null"):
            raise _invalid(value.type, name)
        return Typed(f"{name.lower()}({distinct}{value.sql}){over}", value.type)
    if not value.type.is_number or value.type.name == "bit":
        raise _invalid(value.type, name)
    if name in _STATISTICS:
        return Typed(f"{_STATISTICS[name]}({distinct}CAST({value.sql} AS DOUBLE)){over}", FLOAT)
    return _sum(value, distinct, over) if name == "SUM" else _average(value, distinct, over)


def _count(
    compiler: Compiler, name: str, argument: exp.Expression, distinct: str, over: str
) -> Typed:
    type_ = INT if name == "COUNT" else BIGINT
    if isinstance(argument, exp.Star):
        return Typed(cast(f"count(*){over}", type_), type_)
    value = compiler.value(argument)
    if value.type.name == "null":
        raise _invalid(value.type, name)
    inner = f"DISTINCT {equality_key(value)}" if distinct else value.sql
    return Typed(cast(f"count({inner}){over}", type_), type_)


def _invalid(type_: SqlType, name: str) -> SqlError:
    return failure("8117", "NULL" if type_.name == "null" else type_.name, name.lower())


def _result_type(type_: SqlType) -> SqlType:
    if type_.name == "decimal":
        return decimal(38, type_.scale)
    if type_.name == "smallmoney":
        return SqlType("money")
    return _SUM_TYPES.get(type_.name, type_)


def _sum(value: Typed, distinct: str, over: str) -> Typed:
    type_ = _result_type(value.type)
    total = f"sum({distinct}{value.sql}){over}"
    if type_.name == "money":
        total = f"tsql_large_money({total})"
    return Typed(cast(total, type_), type_)


def _average(value: Typed, distinct: str, over: str) -> Typed:
    type_ = _result_type(value.type)
    inner = distinct + value.sql
    if type_.is_integer:
        # The sum has to fit: https://learn.microsoft.com/sql/t-sql/functions/avg-transact-sql
        total = cast(f"sum({inner}){over}", type_)
        return Typed(cast(f"({total} // count({inner}){over})", type_), type_)
    if type_.name == "decimal":
        type_ = decimal(38, max(type_.scale, 6))
    if type_.name not in ("decimal", "money"):
        return Typed(cast(f"avg({inner}){over}", type_), type_)
    total, count = f"CAST(sum({inner}){over} AS VARCHAR)", f"CAST(count({inner}){over} AS VARCHAR)"
    digits = 4 if type_.name == "money" else type_.scale
    return Typed(cast(f"tsql_divide({total}, {count}, {digits})", type_), type_)


def _string_agg(
    compiler: Compiler,
    value: Typed,
    arguments: list[exp.Expression],
    order: exp.Expression | None,
    over: str,
) -> Typed:
    if len(arguments) != 2:
        raise SqlError(174, "The string_agg function requires 2 argument(s).")
    if over:
        raise near("STRING_AGG")
    text = value if value.type.is_text else convert(value, nvarchar(4000))
    separator = compiler.value(arguments[1])
    ordering = f" ORDER BY {order_items(compiler, order)}" if order is not None else ""
    type_ = nvarchar(MAX) if text.type.name.startswith("n") else varchar(MAX)
    return Typed(f"string_agg({text.sql}, {separator.sql}{ordering})", type_)


def direction(item: exp.Expression) -> str:
    """The direction of an item of ORDER BY; NULL is the lowest value."""
    return "DESC NULLS LAST" if item.args.get("desc") else "ASC NULLS FIRST"


def order_items(compiler: Compiler, order: exp.Expression) -> str:
    """The items of an ORDER BY inside of a function."""
    only(order, "expressions")
    items = []
    for item in order.expressions:
        only(item, "this", "desc", "nulls_first")
        items.append(f"{equality_key(compiler.value(item.this))} {direction(item)}")
    return ", ".join(items)


def window(compiler: Compiler, node: exp.Window) -> Typed:
    """Compile function(...) OVER (...)."""
    only(node, "this", "partition_by", "order", "spec", "over")
    call, within = node.this, None
    if isinstance(call, exp.WithinGroup):
        call, within = call.this, call.expression
    if not isinstance(call, exp.Anonymous):
        raise near("OVER")
    name = call.name.upper()
    parts = []
    if node.args.get("partition_by"):
        keys = [equality_key(compiler.value(item)) for item in node.args["partition_by"]]
        parts.append("PARTITION BY " + ", ".join(keys))
    if node.args.get("order") is not None:
        if any(isinstance(item.this, exp.Literal) for item in node.args["order"].expressions):
            raise failure("5308")
        parts.append("ORDER BY " + order_items(compiler, node.args["order"]))
    if node.args.get("spec") is not None:
        if name in RANKINGS and name not in ("FIRST_VALUE", "LAST_VALUE"):
            raise SqlError(10752, f"The function '{name}' may not have a window frame.")
        if node.args.get("order") is None:
            raise SqlError(10756, "Window frame with ROWS or RANGE must have an ORDER BY clause.")
        parts.append(_frame(node.args["spec"]))
    over = f" OVER ({' '.join(parts)})"
    if name in AGGREGATES:
        return aggregate(compiler, call, over=over)
    if name not in RANKINGS:
        raise refused(f"The window function {name}")
    if name.startswith("PERCENTILE") or within is not None:
        return _percentile(compiler, call, name, within, over)
    if node.args.get("order") is None:
        raise SqlError(4112, f"The function '{name}' must have an OVER clause with ORDER BY.")
    return _ranking(compiler, call, name, over)


def _percentile(
    compiler: Compiler,
    call: exp.Expression,
    name: str,
    within: exp.Expression | None,
    over: str,
) -> Typed:
    """PERCENTILE_CONT and PERCENTILE_DISC (p) WITHIN GROUP (ORDER BY value) OVER (PARTITION BY)."""
    if not name.startswith("PERCENTILE") or within is None or len(within.expressions) != 1:
        raise near("WITHIN GROUP")
    if "ORDER BY" in over:
        raise SqlError(10754, f"The function '{name}' may not have an ORDER BY in OVER.")
    item = within.expressions[0]
    value = compiler.value(item.this)
    (argument,) = compiler.arguments(call, 1, 1)
    if argument.find(exp.Column, exp.Select) is not None:
        raise SqlError(PARSE_ERROR, f"The argument of {name} must be a constant.")
    fraction = convert(compiler.value(argument), FLOAT).sql
    share = f"tsql_share({fraction}, '{name}')"
    if item.args.get("desc"):
        share = f"(-{share})"  # DuckDB's way to count from the highest value, -0.0 included
    if name == "PERCENTILE_CONT":
        return Typed(f"quantile_cont({convert(value, FLOAT).sql}, {share}){over}", FLOAT)
    return Typed(f"quantile_disc({value.sql}, {share}){over}", value.type)


def _ranking(compiler: Compiler, call: exp.Expression, name: str, over: str) -> Typed:
    if name in ("ROW_NUMBER", "RANK", "DENSE_RANK"):
        compiler.arguments(call, 0, 0)
        return Typed(cast(f"{name.lower()}(){over}", BIGINT), BIGINT)
    if name in ("PERCENT_RANK", "CUME_DIST"):
        compiler.arguments(call, 0, 0)
        return Typed(f"{name.lower()}(){over}", FLOAT)
    if name == "NTILE":
        size = compiler.value(compiler.arguments(call, 1, 1)[0])
        return Typed(cast(f"ntile({size.sql}){over}", BIGINT), BIGINT)
    if name in ("FIRST_VALUE", "LAST_VALUE"):
        value = compiler.value(compiler.arguments(call, 1, 1)[0])
        return Typed(f"{name.lower()}({value.sql}){over}", value.type)
    arguments = [compiler.value(item) for item in compiler.arguments(call, 1, 3)]
    type_ = arguments[0].type
    if len(arguments) > 1 and re.fullmatch(r"\(-\d+\)", arguments[1].sql):
        raise SqlError(8730, f"Offset parameter for {name} function cannot be a negative value.")
    offset = arguments[1].sql if len(arguments) > 1 else "1"
    default = convert(arguments[2], type_).sql if len(arguments) > 2 else "NULL"
    return Typed(f"{name.lower()}({arguments[0].sql}, {offset}, {default}){over}", type_)


def _frame(spec: exp.Expression) -> str:
    only(spec, "kind", "start", "start_side", "end", "end_side")
    if str(spec.args.get("kind")).upper() not in ("ROWS", "RANGE"):
        raise near(str(spec.args.get("kind")))

    def bound(which: str) -> str:
        value, side = spec.args.get(which), spec.args.get(f"{which}_side") or ""
        if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
            if str(spec.args.get("kind")).upper() == "RANGE":
                raise failure("4194")
            return f"{int(value.name)} {side}"
        if isinstance(value, str) and value.upper() in ("UNBOUNDED", "CURRENT ROW"):
            return f"{value} {side}".strip()
        raise near("ROWS")

    start = bound("start")
    end = bound("end") if spec.args.get("end") is not None else "CURRENT ROW"
    frame = f"{spec.args['kind']} BETWEEN {start} AND {end}"
    ends_early = _side(end) < _side(start) or end == "UNBOUNDED PRECEDING"
    if ends_early or start == "UNBOUNDED FOLLOWING":
        raise failure("4193", frame)
    return frame


def _side(bound: str) -> int:
    """Where a bound of a frame lies: before the current row (-1), at it (0) or behind it (1)."""
    return bound.endswith("FOLLOWING") - bound.endswith("PRECEDING")
