"""PREDICT as an item of a FROM clause."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, near, parse_error
from bikecast.embedded.sql_pool.expressions.context import Context, declared
from bikecast.embedded.sql_pool.expressions.protocol import CompileQuery
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.syntax.statements import ObjectName, table_name
from bikecast.embedded.sql_pool.values.scope import (
    NamedColumn,
    Scope,
    Source,
    next_alias,
)
from bikecast.embedded.sql_pool.values.types import SqlType, make_type


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
