"""Mathematical functions.

Source: https://learn.microsoft.com/sql/t-sql/functions/mathematical-functions-transact-sql
"""

from __future__ import annotations

import random

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.expressions.context import Compiler, Function
from bikecast.embedded.sql_pool.expressions.functions.templates import template
from bikecast.embedded.sql_pool.values.conversion import cast, convert
from bikecast.embedded.sql_pool.values.operators import in_range
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import FLOAT, INT, SqlType, decimal


def _float(compiler: Compiler, node: exp.Expression) -> Typed:
    value = compiler.value(node)
    if not (value.type.is_number or value.type.is_text or value.type.name == "null"):
        raise failure("8116c", value.type.name)
    return convert(value, FLOAT)


def _finite(sql: str) -> Function:
    """A function from float to float."""
    return template(f"tsql_finite({sql})", FLOAT, _float)


def _logarithm(compiler: Compiler, node: exp.Expression) -> Typed:
    value, *base = (_float(compiler, item).sql for item in compiler.arguments(node, 1, 2))
    logarithm = f"ln(tsql_positive({value}))"
    if base:
        logarithm = f"({logarithm} / tsql_nonzero(ln(tsql_positive({base[0]}))))"
    return Typed(logarithm, FLOAT)


def _number(compiler: Compiler, node: exp.Expression, name: str) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    if value.type.is_text:
        value = convert(value, FLOAT)
    if value.type.name == "null":
        value = convert(value, INT)
    if not value.type.is_number or value.type.name == "bit":
        raise SqlError(8116, f"Argument data type {value.type.name} is invalid for {name}.")
    return value


def _widened(type_: SqlType) -> SqlType:
    """The type of a result: small integers become int, smallmoney money, real float."""
    names = {"tinyint": "int", "smallint": "int", "smallmoney": "money", "real": "float"}
    return SqlType(names[type_.name]) if type_.name in names else type_


def _in_type(sql: str, type_: SqlType) -> Typed:
    """A result of a type; money beyond its range is an error."""
    return Typed(cast(in_range(sql, type_), type_), type_)


def _absolute(compiler: Compiler, node: exp.Expression) -> Typed:
    value = _number(compiler, node, "abs")
    type_ = _widened(value.type)
    if type_.is_integer:
        return Typed(cast(f"abs(CAST({value.sql} AS HUGEINT))", type_), type_)
    return _in_type(f"abs({value.sql})", type_)


def _floor_ceiling(name: str) -> Function:
    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        value = _number(compiler, node, name)
        type_ = _widened(value.type)
        if type_.name == "decimal":
            type_ = decimal(type_.precision, 0)
        return _in_type(f"{name}({value.sql})", type_)

    return compile_call


def _sign(compiler: Compiler, node: exp.Expression) -> Typed:
    value = _number(compiler, node, "sign")
    type_ = _widened(value.type)
    return Typed(cast(f"sign({value.sql})", type_), type_)


def _angle(name: str) -> Function:
    """DEGREES and RADIANS keep the type of an exact number."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        value = _number(compiler, node, name)
        type_ = decimal(38, 18) if value.type.name == "decimal" else _widened(value.type)
        sql = f"{name}(CAST({value.sql} AS DOUBLE))"
        return Typed(cast(f"trunc({sql})" if type_.is_integer else sql, type_), type_)

    return compile_call


def _round(compiler: Compiler, node: exp.Expression) -> Typed:
    """ROUND(value, digits [, cut]); a cut other than 0 truncates."""
    value, digits, *cut = (compiler.value(item) for item in compiler.arguments(node, 2, 3))
    if value.type.is_text or value.type.name == "null":
        value = convert(value, FLOAT)
    if not value.type.is_number or value.type.name == "bit":
        raise SqlError(8116, f"Argument data type {value.type.name} is invalid for round.")
    type_ = _widened(value.type)
    places = convert(digits, INT).sql
    exact = f"tsql_round({value.sql}, {places})"
    if type_.name in ("float", "decimal", "money"):
        exact = f"round({value.sql}, {places})"
    if type_.name == "decimal" and type_.precision - type_.scale < 38:
        exact = f"round(CAST({value.sql} AS DECIMAL(38,{type_.scale})), {places})"
    rounded = _in_type(exact, type_)
    if not cut:
        return rounded
    wide = value.sql if type_.name == "float" else f"CAST({value.sql} AS DOUBLE)"
    if type_.name in ("decimal", "money"):
        truncated = f"tsql_truncate_decimal({value.sql}, {places}, {value.type.as_decimal()[1]})"
    else:
        truncated = f"tsql_truncate({wide}, {places})"
    keep = f"{convert(cut[0], INT).sql} = 0"
    sql = f"(CASE WHEN {keep} THEN {rounded.sql} ELSE {cast(truncated, type_)} END)"
    return Typed(sql, type_)


def _power(compiler: Compiler, node: exp.Expression) -> Typed:
    base, exponent = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    if base.type.is_text or base.type.name in ("null", "bit"):
        base = convert(base, FLOAT)
    if not base.type.is_number:
        raise failure("8116c", base.type.name)
    type_ = decimal(38, base.type.scale) if base.type.name == "decimal" else _widened(base.type)
    power = convert(exponent, FLOAT).sql
    sql = f"tsql_finite(pow(CAST({base.sql} AS DOUBLE), {power}))"
    if type_.is_integer:
        sql = f"trunc({sql})"
    return _in_type(sql, type_)


def _random(compiler: Compiler, node: exp.Expression) -> Typed:
    """RAND is one number a statement; a seed repeats it."""
    seed = compiler.arguments(node, 0, 1)
    if not seed:
        return Typed(compiler.context.bind(random.random(), FLOAT), FLOAT)  # noqa: S311
    number = convert(compiler.value(seed[0]), INT).sql
    return Typed(f"(CAST(hash({number}) % 1000000007 AS DOUBLE) / 1000000007)", FLOAT)


MATH_FUNCTIONS: dict[str, Function] = {
    "ABS": _absolute,
    "ACOS": _finite("acos(tsql_unit({0}))"),
    "ASIN": _finite("asin(tsql_unit({0}))"),
    "ATAN": _finite("atan({0})"),
    "ATN2": template("atan2({0}, {1})", FLOAT, _float, _float),
    "CEILING": _floor_ceiling("ceiling"),
    "COS": _finite("cos({0})"),
    "COT": _finite("cot(tsql_nonzero({0}))"),
    "DEGREES": _angle("degrees"),
    "EXP": _finite("exp({0})"),
    "FLOOR": _floor_ceiling("floor"),
    "LOG": _logarithm,
    "LOG10": _finite("log10(tsql_positive({0}))"),
    "POWER": _power,
    "RADIANS": _angle("radians"),
    "RAND": _random,
    "ROUND": _round,
    "SIGN": _sign,
    "SIN": _finite("sin({0})"),
    "SQRT": _finite("sqrt(tsql_not_negative({0}))"),
    "SQUARE": _finite("pow({0}, 2)"),
    "TAN": _finite("tan({0})"),
}
