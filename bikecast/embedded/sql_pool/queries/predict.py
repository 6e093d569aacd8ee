"""PREDICT as an item of a FROM clause."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import (
    SqlError,
    near,
    parse_error,
    undeclared,
)
from bikecast.embedded.sql_pool.expressions.context import Context
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


@dataclass
class PredictCompiler:
    """Compiles PREDICT.

    `query` compiles a query in a scope. `named` finds a table, view or common table expression by
    its name, for an alias; its last argument tells whether a schema was written.
    """

    context: Context
    query: CompileQuery
    named: Callable[[ObjectName, str, bool], tuple[str, Source]]

    def rows(self, node: dialect.Predict) -> tuple[str, Source, Source]:
        """PREDICT in DuckDB SQL, the columns of its data and those of its outputs."""
        runtime = node.args.get("runtime")
        if runtime is None or runtime.name.upper() != "ONNX":
            raise parse_error("PREDICT needs RUNTIME = ONNX in a dedicated SQL pool.")
        table = node.args["data"]
        if not isinstance(table, exp.Table):
            raise near("DATA")
        only(table, "this", "db", "catalog")
        alias = node.args.get("data_alias")
        label = alias.name if alias is not None else ""
        sql, data = self.named(table_name(table), label, bool(table.args.get("db")))
        outputs = [_output(column) for column in node.args["outputs"]]
        scorer = self.context.scorers.register(
            self._model(node.args["model"]),
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

    def _model(self, node: exp.Expression) -> bytes:
        """The model's bytes: PREDICT needs them before the query runs."""
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Subquery | exp.Select):
            model = self._model_of_subquery(node)
        elif isinstance(node, exp.Parameter) and not isinstance(node.this, exp.Parameter):
            variable = self.context.variables.get(node.name.lower())
            if variable is None:
                raise undeclared(node.name)
            model = variable.value
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

    def _model_of_subquery(self, node: exp.Expression) -> object:
        """Run the model's subquery now, in the transaction that the statement runs in."""
        kept, self.context.parameters = self.context.parameters, {}
        try:
            query = self.query(node.this if isinstance(node, exp.Subquery) else node, Scope())
            if len(query.columns) != 1:
                raise SqlError(116, "Only one expression can be specified in the model's subquery.")
            return self.context.run_scalar(query, self.context.parameters)
        finally:
            self.context.parameters = kept


def _output(column: exp.Expression) -> tuple[str, SqlType]:
    declared = column.args["to"]
    return column.name, make_type(declared.name, declared.args.get("arguments") or [])
