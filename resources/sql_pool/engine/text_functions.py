"""String functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from resources.sql_pool.engine.conversion import cast, convert
from resources.sql_pool.engine.errors import not_emulated
from resources.sql_pool.engine.scope import Typed
from resources.sql_pool.engine.types import (
    BIGINT,
    INT,
    MAX,
    nvarchar,
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


TEXT_FUNCTIONS: dict[str, Function] = {
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
}
