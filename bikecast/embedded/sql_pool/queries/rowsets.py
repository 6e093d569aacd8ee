"""Table sources that rewrite or make rows: STRING_SPLIT, PIVOT, UNPIVOT and PREDICT."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, failure, near, parse_error, refused
from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler
from bikecast.embedded.sql_pool.expressions.context import CompileQuery, Context, declared
from bikecast.embedded.sql_pool.expressions.functions.aggregates import AGGREGATES
from bikecast.embedded.sql_pool.expressions.functions.templates import as_text
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.syntax.statements import ObjectName, table_name
from bikecast.embedded.sql_pool.values.conversion import convert
from bikecast.embedded.sql_pool.values.scope import (
    BoundQuery,
    NamedColumn,
    Scope,
    Source,
    Typed,
    next_alias,
    text_literal,
)
from bikecast.embedded.sql_pool.values.types import SqlType, common_type, make_type, nvarchar


def function_rows(
    compiler: ExpressionCompiler, node: exp.Anonymous, alias: str, physical: str
) -> tuple[str, Source]:
    """A function in a FROM clause."""
    name = node.name.upper()
    if name != "STRING_SPLIT":
        raise refused(f"The table source {name}")
    text, separator = (as_text(compiler.value(item)) for item in compiler.arguments(node, 2, 2))
    if separator.constant is not None and len(separator.constant) != 1:
        raise failure("214b")
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
    call, field = _parts(node, "PIVOT")
    if call.name.upper() not in AGGREGATES or len(call.expressions) != 1:
        raise near("PIVOT")
    scope = Scope()
    scope.add(source)
    compiler = expressions(scope)
    used = {column.name.lower() for column in (field.this, *call.find_all(exp.Column))}
    kept = [column for column in source.columns if column.name.lower() not in used]
    columns = [(column.name, column.type) for column in kept]
    items = [column.sql for column in kept]
    for value in field.expressions:
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
    turned = BoundQuery(f"(SELECT {selected} FROM {inner}{group})", tuple(columns))
    return f"{turned.sql} AS {physical}", turned.source(node.alias, physical)


def _parts(node: exp.Pivot, word: str) -> tuple[exp.Expression, exp.Expression]:
    """What stands before FOR, and FOR with the columns in its IN."""
    values, fields = node.expressions, node.args.get("fields") or []
    if len(values) != 1 or len(fields) != 1 or not node.alias:
        raise near(word)
    for item in fields[0].expressions:
        if not isinstance(item, exp.Column | exp.Identifier):
            raise near(item.name or "IN")
    return values[0], fields[0]


def unpivot(source: Source, inner: str, node: exp.Pivot, physical: str) -> tuple[str, Source]:
    """source UNPIVOT (value FOR name IN (a, b)) AS alias; rows of NULL are left out."""
    only(
        node, "expressions", "fields", "alias", "unpivot", "value_columns_first", "default_on_null"
    )
    named, field = _parts(node, "UNPIVOT")
    by_name = {column.name.lower(): column for column in source.columns}
    turned: list[NamedColumn] = []
    for item in field.expressions:
        column = by_name.get(item.name.lower())
        if column is None:
            raise failure("207", item.name)
        turned.append(column)
    type_ = turned[0].type
    for column in turned[1:]:
        if column.type.name != type_.name:
            raise failure("8167", column.name)
        type_ = common_type(type_, column.type)
    names = {column.name.lower() for column in turned}
    kept = [column for column in source.columns if column.name.lower() not in names]
    columns = [(column.name, column.type) for column in kept]
    columns += [(named.name, type_), (field.this.name, nvarchar(128))]
    parts = []
    for column in turned:
        value = convert(Typed(column.sql, column.type), type_).sql
        items = [*(k.sql for k in kept), value, text_literal(column.name)]
        selected = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(items, 1))
        parts.append(f"SELECT {selected} FROM {inner} WHERE {column.sql} IS NOT NULL")
    query = BoundQuery(f"({' UNION ALL '.join(parts)})", tuple(columns))
    return f"{query.sql} AS {physical}", query.source(node.alias, physical)


def predict_source(
    node: dialect.Predict,
    context: Context,
    query: CompileQuery,
    named: Callable[[ObjectName, str, bool], tuple[str, Source]],
) -> tuple[str, Source, Source]:
    """PREDICT in DuckDB SQL, the columns of its data and those of its outputs.

    `query` compiles a query in a scope. `named` finds a table, view or common table expression
    by its name, for an alias; its last argument tells whether a schema was written.
    """
    runtime = node.args.get("runtime")
    if runtime is None or runtime.name.upper() != "ONNX":
        raise parse_error("PREDICT needs RUNTIME = ONNX in a dedicated SQL pool.")
    table = node.args["data"]
    if not isinstance(table, exp.Table):
        raise near("DATA")
    only(table, "this", "db", "catalog")
    alias = node.args.get("data_alias")
    label = alias.name if alias is not None else ""
    sql, data = named(table_name(table), label, bool(table.args.get("db")))
    outputs = [_output(column) for column in node.args["outputs"]]
    scorer = context.scorers.register(
        _model(node.args["model"], context, query),
        [(column.name, column.type) for column in data.columns],
        outputs,
    )
    by_name = {column.name: column.sql for column in data.columns}
    call = f"{scorer.function}({', '.join(by_name[name] for name in scorer.inputs)})"
    physical = next_alias()
    inner = ", ".join(f"{column.sql} AS d{i}" for i, column in enumerate(data.columns))
    columns = tuple(
        NamedColumn(column.name, column.type, f"{physical}.d{i}")
        for i, column in enumerate(data.columns)
    )
    places = {name: i for i, name in enumerate(scorer.outputs)}
    single = len(scorer.outputs) == 1
    predicted = tuple(
        NamedColumn(name, type_, f"{physical}.o" if single else f"{physical}.o.o{places[name]}")
        for name, type_ in outputs
    )
    output_alias = node.args.get("alias")
    return (
        f"(SELECT {inner}, {call} AS o FROM {sql}) AS {physical}",
        Source(data.alias, columns, data.schema),
        Source(output_alias.name if output_alias is not None else "", predicted),
    )


def _model(node: exp.Expression, context: Context, query: CompileQuery) -> bytes:
    """The model's bytes: PREDICT needs them before the query runs."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Subquery | exp.Select):
        model = _model_of_subquery(node, context, query)
    elif isinstance(node, exp.Parameter) and not isinstance(node.this, exp.Parameter):
        model = declared(context.variables, node.name).value
    elif isinstance(node, exp.HexString):
        digits = node.name
        model = bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)
    else:
        raise parse_error("MODEL takes a literal, a variable or a scalar subquery.")
    if model is None:
        raise SqlError(39052, "The model of PREDICT is NULL: no row, or no value in it.")
    if not isinstance(model, bytes | bytearray | memoryview):
        raise SqlError(39052, "The model of PREDICT is not varbinary.")
    return bytes(model)


def _model_of_subquery(node: exp.Expression, context: Context, query: CompileQuery) -> object:
    """Run the model's subquery now, in the transaction that the statement runs in."""
    kept, context.parameters = context.parameters, {}
    try:
        compiled = query(node.this if isinstance(node, exp.Subquery) else node, Scope())
        if len(compiled.columns) != 1:
            raise SqlError(116, "Only one expression can be specified in the model's subquery.")
        return context.run_scalar(compiled, context.parameters)
    finally:
        context.parameters = kept


def _output(column: exp.Expression) -> tuple[str, SqlType]:
    type_name = column.args["to"]
    return column.name, make_type(type_name.name, type_name.args.get("arguments") or [])
