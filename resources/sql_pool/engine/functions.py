"""Built-in scalar functions by T-SQL name. A function that is not here does not exist.

Source: https://learn.microsoft.com/sql/t-sql/functions/functions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from resources.sql_pool.engine.conversion import cast, convert
from resources.sql_pool.engine.dates import DATE_FUNCTIONS
from resources.sql_pool.engine.errors import SqlError, not_emulated
from resources.sql_pool.engine.operators import comparison
from resources.sql_pool.engine.scope import Typed
from resources.sql_pool.engine.statements import ObjectName
from resources.sql_pool.engine.types import (
    BIGINT,
    FLOAT,
    INT,
    MAX,
    SqlType,
    decimal,
    nvarchar,
    varbinary,
    varchar,
)

if TYPE_CHECKING:
    from resources.sql_pool.engine.expressions import ExpressionCompiler

    Function = Callable[[ExpressionCompiler, exp.Expression], Typed]


def as_text(value: Typed) -> Typed:
    """A value as text, as string functions take their arguments."""
    if value.type.is_text:
        return value
    return convert(value, varchar(MAX) if value.type.is_binary else varchar(100))


def _texts(
    compiler: ExpressionCompiler, node: exp.Expression, least: int, most: int
) -> list[Typed]:
    return [as_text(compiler.value(item)) for item in compiler.arguments(node, least, most)]


def _same(name: str) -> Function:
    """A function of one text that DuckDB has by `name`."""

    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        (text,) = _texts(compiler, node, 1, 1)
        return Typed(f"{name}({text.sql})", text.type)

    return compile_call


def _trim(name: str) -> Function:
    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        (text,) = _texts(compiler, node, 1, 1)
        return Typed(f"{name}({text.sql}, ' ')", text.type)

    return compile_call


def _length(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    kind = BIGINT if value.type.length == MAX else INT
    if value.type.is_binary:
        return Typed(cast(f"octet_length({value.sql})", kind), kind)
    return Typed(cast(f"tsql_length({as_text(value).sql})", kind), kind)


def _data_length(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    kind = BIGINT if value.type.length == MAX else INT
    if value.type.is_binary:
        return Typed(cast(f"octet_length({value.sql})", kind), kind)
    if value.type.is_text:
        width = 2 if value.type.name.startswith("n") else 1
        return Typed(cast(f"(length({value.sql}) * {width})", kind), kind)
    raise not_emulated(f"DATALENGTH of {value.type.name}")


def _left_right(name: str) -> Function:
    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        first, second = compiler.arguments(node, 2, 2)
        text, size = as_text(compiler.value(first)), convert(compiler.value(second), INT)
        if name == "left":
            return Typed(f"tsql_substring({text.sql}, 1, {size.sql})", text.type)
        return Typed(f"tsql_right({text.sql}, {size.sql})", text.type)

    return compile_call


def _substring(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    value, start, size = (compiler.value(item) for item in compiler.arguments(node, 3, 3))
    if value.type.is_binary:
        raise not_emulated("SUBSTRING of binary")
    text = as_text(value)
    return Typed(
        f"tsql_substring({text.sql}, {convert(start, INT).sql}, {convert(size, INT).sql})",
        text.type,
    )


def _replace(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    text, old, new = _texts(compiler, node, 3, 3)
    if old.constant is None:
        raise not_emulated("REPLACE of a pattern that is not a constant or a variable")
    kind = nvarchar(MAX) if text.type.name.startswith("n") else varchar(8000)
    if not old.constant:
        return Typed(text.sql, kind)
    pattern = "".join(f"\\x{{{ord(character):x}}}" for character in old.constant)
    replacement = f"replace({new.sql}, '\\', '\\\\')"
    return Typed(f"regexp_replace({text.sql}, '{pattern}', {replacement}, 'gi')", kind)


def _concat(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    parts = _texts(compiler, node, 2, 254)
    national = any(part.type.name.startswith("n") and part.type.is_text for part in parts)
    sql = " || ".join(f"coalesce({part.sql}, '')" for part in parts)
    return Typed(f"({sql})", nvarchar(4000) if national else varchar(8000))


def _char_index(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    arguments = compiler.arguments(node, 2, 3)
    part, text = (as_text(compiler.value(item)) for item in arguments[:2])
    start = convert(compiler.value(arguments[2]), INT).sql if len(arguments) == 3 else "1"
    return Typed(f"tsql_charindex({part.sql}, {text.sql}, {start})", INT)


def _replicate(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    text, count = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    return Typed(f"repeat({as_text(text).sql}, {convert(count, INT).sql})", varchar(8000))


def _float_function(name: str) -> Function:
    """A function from float to float."""

    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        value = convert(compiler.value(compiler.arguments(node, 1, 1)[0]), FLOAT)
        return Typed(f"{name}({value.sql})", FLOAT)

    return compile_call


def _number(compiler: ExpressionCompiler, node: exp.Expression, name: str) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    if value.type.is_text:
        value = convert(value, FLOAT)
    if not value.type.is_number or value.type.name == "bit":
        raise SqlError(8116, f"Argument data type {value.type.name} is invalid for {name}.")
    return value


def _absolute(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    value = _number(compiler, node, "abs")
    return Typed(cast(f"abs({value.sql})", value.type), value.type)


def _floor_ceiling(name: str) -> Function:
    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        value = _number(compiler, node, name)
        kind = decimal(value.type.precision, 0) if value.type.name == "decimal" else value.type
        return Typed(cast(f"{name}({value.sql})", kind), kind)

    return compile_call


def _round(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    value, digits = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    if value.type.is_text:
        value = convert(value, FLOAT)
    return Typed(cast(f"round({value.sql}, {convert(digits, INT).sql})", value.type), value.type)


def _power(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    base, exponent = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    kind = decimal(38, base.type.scale) if base.type.name == "decimal" else base.type
    sql = f"pow(CAST({base.sql} AS DOUBLE), CAST({exponent.sql} AS DOUBLE))"
    return Typed(cast(sql, kind), kind)


def _is_null(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    first, second = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    kind = second.type if first.type.name == "null" else first.type
    return Typed(f"coalesce({convert(first, kind).sql}, {convert(second, kind).sql})", kind)


def _coalesce(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    values = [compiler.value(item) for item in compiler.arguments(node, 2, 1000)]
    kind = compiler.unify(values)
    if kind.name == "null":
        raise SqlError(4127, "At least one of the arguments to COALESCE must not be NULL.")
    return Typed(f"coalesce({', '.join(convert(v, kind).sql for v in values)})", kind)


def _null_if(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    first, second = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    equal = comparison("=", first, second)
    return Typed(f"(CASE WHEN {equal} THEN NULL ELSE {first.sql} END)", first.type)


def _iif(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    test, yes, no = compiler.arguments(node, 3, 3)
    condition = compiler.condition(test)
    return compiler.choose([condition], [compiler.value(yes), compiler.value(no)])


_HASHES = {
    "MD5": ("md5", 16),
    "SHA": ("sha1", 20),
    "SHA1": ("sha1", 20),
    "SHA2_256": ("sha256", 32),
}


def _hash_bytes(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    algorithm, value = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    name, size = _HASHES.get((algorithm.constant or "").upper(), ("", 0))
    if not name or value.type.name in ("nchar", "nvarchar"):
        raise not_emulated("HASHBYTES with these arguments")
    return Typed(f"unhex({name}({value.sql}))", varbinary(size))


def _object_id(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    arguments = [compiler.value(item) for item in compiler.arguments(node, 1, 2)]
    if any(argument.constant is None for argument in arguments):
        raise not_emulated("OBJECT_ID of a value that is not a constant or a variable")
    name = _object_name(arguments[0].constant or "")
    found = compiler.context.catalog.find(name) if name else None
    if (
        found
        and len(arguments) == 2
        and found.type.strip() != (arguments[1].constant or "").strip()
    ):
        found = None
    return Typed(str(found.object_id), INT) if found else Typed("CAST(NULL AS INTEGER)", INT)


def _object_name(text: str) -> ObjectName | None:
    parts = [part.strip().strip('[]"') for part in text.split(".")]
    if len(parts) == 3 and parts[0].lower() == "tempdb":
        parts = parts[2:]
    if not 1 <= len(parts) <= 2:
        return None
    return ObjectName(parts[-1], parts[0] if len(parts) == 2 and parts[0] else "dbo")


def _server(name: str) -> Function:
    """A function without arguments whose value the session knows."""

    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        compiler.arguments(node, 0, 0)
        value, kind = compiler.context.server[name]
        return Typed(compiler.context.bind(value, kind), kind)

    return compile_call


def _constant(sql: str, kind: SqlType) -> Function:
    def compile_call(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
        compiler.arguments(node, 0, 0)
        return Typed(sql, kind)

    return compile_call


FUNCTIONS: dict[str, Function] = {
    "LEN": _length,
    "DATALENGTH": _data_length,
    "UPPER": _same("upper"),
    "LOWER": _same("lower"),
    "REVERSE": _same("reverse"),
    "LTRIM": _trim("ltrim"),
    "RTRIM": _trim("rtrim"),
    "TRIM": _trim("trim"),
    "LEFT": _left_right("left"),
    "RIGHT": _left_right("right"),
    "SUBSTRING": _substring,
    "REPLACE": _replace,
    "REPLICATE": _replicate,
    "CONCAT": _concat,
    "CHARINDEX": _char_index,
    "ABS": _absolute,
    "FLOOR": _floor_ceiling("floor"),
    "CEILING": _floor_ceiling("ceiling"),
    "ROUND": _round,
    "POWER": _power,
    "SQRT": _float_function("sqrt"),
    "EXP": _float_function("exp"),
    "LOG": _float_function("ln"),
    "LOG10": _float_function("log10"),
    "PI": _constant("pi()", FLOAT),
    "ISNULL": _is_null,
    "COALESCE": _coalesce,
    "NULLIF": _null_if,
    "IIF": _iif,
    "HASHBYTES": _hash_bytes,
    "NEWID": _constant("uuid()", SqlType("uniqueidentifier")),
    "OBJECT_ID": _object_id,
    "DB_NAME": _server("DB_NAME"),
    "SUSER_SNAME": _server("SUSER_SNAME"),
    "XACT_STATE": _server("XACT_STATE"),
    "ERROR_NUMBER": _server("ERROR_NUMBER"),
    "ERROR_MESSAGE": _server("ERROR_MESSAGE"),
    "ERROR_SEVERITY": _server("ERROR_SEVERITY"),
    "ERROR_STATE": _server("ERROR_STATE"),
    "ERROR_PROCEDURE": _server("ERROR_PROCEDURE"),
    **DATE_FUNCTIONS,
}
