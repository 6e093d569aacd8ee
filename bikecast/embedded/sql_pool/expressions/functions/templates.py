"""Functions of T-SQL that are one expression of DuckDB over their arguments."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.expressions.context import Compiler, Function
from bikecast.embedded.sql_pool.syntax.names import database
from bikecast.embedded.sql_pool.values.conversion import convert
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import MAX, SqlType, varchar


def as_text(value: Typed) -> Typed:
    """A value as text, as string functions take their arguments."""
    if value.type.is_text:
        return value
    return convert(value, varchar(MAX) if value.type.is_binary else varchar(100))


def text_argument(compiler: Compiler, node: exp.Expression) -> Typed:
    """An argument as text."""
    return as_text(compiler.value(node))


def template(
    sql: str,
    returns: SqlType | Callable[..., SqlType],
    *parameters: SqlType | Callable[[Compiler, exp.Expression], Typed],
    defaults: tuple[str, ...] = (),
) -> Function:
    """A function by its expression: {0} is the first argument, {type} DuckDB's type of the result
    and {database} the name of the database.

    A parameter is the type that its argument is converted to, or what compiles it. The last
    arguments have `defaults` in DuckDB's SQL. `returns` may be a function of the arguments given.
    """

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        nodes = compiler.arguments(node, len(parameters) - len(defaults), len(parameters))
        values = [
            convert(compiler.value(item), parameter)
            if isinstance(parameter, SqlType)
            else parameter(compiler, item)
            for parameter, item in zip(parameters, nodes, strict=False)
        ]
        type_ = returns if isinstance(returns, SqlType) else returns(*values)
        missing = defaults[len(defaults) + len(values) - len(parameters) :]
        named = {"type": type_.duckdb, "database": text_literal(database())}
        given = [*(value.sql for value in values), *(text.format(**named) for text in missing)]
        return Typed(sql.format(*given, **named), type_)

    return compile_call
