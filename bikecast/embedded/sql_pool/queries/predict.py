"""PREDICT as an item of a FROM clause."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import (
    SqlError,
    near,
    parse_error,
    undeclared,
)
from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler
from bikecast.embedded.sql_pool.expressions.context import Context
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.syntax.statements import ObjectName, table_name
from bikecast.embedded.sql_pool.values.scope import (
    BoundQuery,
    NamedColumn,
    Scope,
    Source,
    next_alias,
)
from bikecast.embedded.sql_pool.values.types import SqlType


class PredictSource(ABC):
    """Compiles PREDICT; the tables in it are found by the class on top."""

    def __init__(
        self,
        context: Context,
        scope: Scope,
        query: Callable[[exp.Expression, Scope], BoundQuery],
    ) -> None:
        self.context = context
        self.scope = scope
        self._query = query

    @abstractmethod
    def named(self, name: ObjectName, alias: str, *, qualified: bool) -> tuple[str, Source]:
        """A table, view or common table expression by name, under an alias or its own name."""

    def predict(self, node: dialect.Predict) -> str:
        """PREDICT: the columns of its data and its outputs are added to the scope."""
        runtime = node.args.get("runtime")
        if runtime is None or runtime.name.upper() != "ONNX":
            raise parse_error("PREDICT needs RUNTIME = ONNX in a dedicated SQL pool.")
        data_node = node.args["data"]
        if not isinstance(data_node, exp.Table):
            raise near("DATA")
        only(data_node, "this", "db", "catalog")
        alias_node = node.args.get("data_alias")
        sql, data = self.named(
            table_name(data_node),
            alias_node.name if alias_node is not None else "",
            qualified=bool(data_node.args.get("db")),
        )
        outputs = [self._output(column) for column in node.args["outputs"]]
        scorer = self.context.scorers.register(
            self._model(node.args["model"]),
            [(column.name, column.type) for column in data.columns],
            outputs,
        )
        by_name = {column.name: column.sql for column in data.columns}
        call = f"{scorer.function}({', '.join(by_name[name] for name in scorer.inputs)})"
        physical = next_alias()
        inner = ", ".join(f"{column.sql} AS d{i}" for i, column in enumerate(data.columns))
        self.scope.add(
            Source(
                data.alias,
                tuple(
                    NamedColumn(column.name, column.type, f"{physical}.d{i}")
                    for i, column in enumerate(data.columns)
                ),
                data.schema,
            )
        )
        places = {name: i for i, name in enumerate(scorer.outputs)}
        single = len(scorer.outputs) == 1
        output_alias = node.args.get("alias")
        self.scope.add(
            Source(
                output_alias.name if output_alias is not None else "",
                tuple(
                    NamedColumn(
                        name, kind, f"{physical}.o" if single else f"{physical}.o.o{places[name]}"
                    )
                    for name, kind in outputs
                ),
            )
        )
        return f"(SELECT {inner}, {call} AS o FROM {sql}) AS {physical}"

    def _output(self, column: exp.Expression) -> tuple[str, SqlType]:
        compiler = ExpressionCompiler(self.context, self.scope, self._query)
        return column.name, compiler.type_of(column.args["to"], in_cast=False)

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
            query = self._query(node.this if isinstance(node, exp.Subquery) else node, Scope())
            if len(query.columns) != 1:
                raise SqlError(116, "Only one expression can be specified in the model's subquery.")
            return self.context.run_scalar(query, self.context.parameters)
        finally:
            self.context.parameters = kept
