"""Table sources that rewrite or make rows: STRING_SPLIT, PIVOT and UNPIVOT."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, invalid_column, near, unsupported
from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler
from bikecast.embedded.sql_pool.expressions.functions.aggregates import AGGREGATES
from bikecast.embedded.sql_pool.expressions.functions.text import as_text
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.values.conversion import convert
from bikecast.embedded.sql_pool.values.scope import NamedColumn, Scope, Source, Typed, text_literal
from bikecast.embedded.sql_pool.values.types import SqlType, common_type, nvarchar


def function_rows(
    compiler: ExpressionCompiler, node: exp.Anonymous, alias: str, physical: str
) -> tuple[str, Source]:
    """A function in a FROM clause."""
    name = node.name.upper()
    if name != "STRING_SPLIT":
        raise unsupported(f"The table source {name}")
    text, separator = (as_text(compiler.value(item)) for item in compiler.arguments(node, 2, 2))
    if separator.constant is not None and len(separator.constant) != 1:
        raise SqlError(
            214, "Procedure expects parameter 'separator' of type 'nchar(1)/nvarchar(1)'."
        )
    type_ = SqlType("nvarchar" if text.type.name.startswith("n") else "varchar", text.type.length)
    sql = f"(SELECT unnest(string_split({text.sql}, {separator.sql})) AS c1) AS {physical}"
    return sql, Source(alias or name, (NamedColumn("value", type_, f"{physical}.c1"),))


def pivot(
    source: Source,
    inner: str,
    node: exp.Pivot,
    expressions: Callable[[Scope], ExpressionCompiler],
    physical: str,
) -> tuple[str, Source]:
    """source PIVOT (aggregate(value) FOR column IN ([a], [b])) AS alias.

    The columns that are neither the value nor the FOR column are the groups.
    """
    only(node, "expressions", "fields", "alias", "columns", "pivot_column_naming")
    calls, fields = node.expressions, node.args.get("fields") or []
    if len(calls) != 1 or len(fields) != 1 or not isinstance(calls[0], exp.Anonymous):
        raise near("PIVOT")
    call, field = calls[0], fields[0]
    if call.name.upper() not in AGGREGATES or len(call.expressions) != 1 or not node.alias:
        raise near("PIVOT")
    scope = Scope()
    scope.add(source)
    compiler = expressions(scope)
    used = {column.name.lower() for column in (field.this, *call.find_all(exp.Column))}
    kept = [column for column in source.columns if column.name.lower() not in used]
    columns = [(column.name, column.type) for column in kept]
    items = [column.sql for column in kept]
    for value in field.expressions:
        if not isinstance(value, exp.Column | exp.Identifier):
            raise near(value.name or "IN")
        label = value.name
        test = exp.EQ(this=field.this.copy(), expression=exp.Literal.string(label))
        branch = exp.If(this=test, true=call.expressions[0].copy())
        aggregate = compiler.value(
            exp.Anonymous(this=call.name, expressions=[exp.Case(ifs=[branch])])
        )
        columns.append((label, aggregate.type))
        items.append(aggregate.sql)
    selected = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(items, 1))
    group = f" GROUP BY {', '.join(column.sql for column in kept)}" if kept else ""
    return f"(SELECT {selected} FROM {inner}{group}) AS {physical}", _source(
        node.alias, columns, physical
    )


def _source(alias: str, columns: list[tuple[str, SqlType]], physical: str) -> Source:
    names: set[str] = set()
    for name, _ in columns:
        if name.lower() in names:
            raise SqlError(8156, f"The column '{name}' was specified multiple times.")
        names.add(name.lower())
    return Source(
        alias,
        tuple(
            NamedColumn(name, type_, f"{physical}.c{i}")
            for i, (name, type_) in enumerate(columns, 1)
        ),
    )


def unpivot(source: Source, inner: str, node: exp.Pivot, physical: str) -> tuple[str, Source]:
    """source UNPIVOT (value FOR name IN (a, b)) AS alias; rows of NULL are left out."""
    only(
        node, "expressions", "fields", "alias", "unpivot", "value_columns_first", "default_on_null"
    )
    if len(node.expressions) != 1 or len(node.args.get("fields") or []) != 1 or not node.alias:
        raise near("UNPIVOT")
    field = node.args["fields"][0]
    by_name = {column.name.lower(): column for column in source.columns}
    turned: list[NamedColumn] = []
    for item in field.expressions:
        if not isinstance(item, exp.Column | exp.Identifier):
            raise near(item.name or "IN")
        column = by_name.get(item.name.lower())
        if column is None:
            raise invalid_column(item.name)
        turned.append(column)
    type_ = turned[0].type
    for column in turned[1:]:
        if column.type.name != type_.name:
            raise SqlError(
                8167, f"The type of column '{column.name}' conflicts with the type of others."
            )
        type_ = common_type(type_, column.type)
    names = {column.name.lower() for column in turned}
    kept = [column for column in source.columns if column.name.lower() not in names]
    columns = [(column.name, column.type) for column in kept]
    columns += [(node.expressions[0].name, type_), (field.this.name, nvarchar(128))]
    parts = []
    for column in turned:
        value = convert(Typed(column.sql, column.type), type_).sql
        items = [*(k.sql for k in kept), value, text_literal(column.name)]
        selected = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(items, 1))
        parts.append(f"SELECT {selected} FROM {inner} WHERE {column.sql} IS NOT NULL")
    return f"({' UNION ALL '.join(parts)}) AS {physical}", _source(node.alias, columns, physical)
