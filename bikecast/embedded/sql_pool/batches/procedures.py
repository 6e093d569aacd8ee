"""EXEC: stored procedures, the system's own, and texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bikecast.embedded.sql_pool.batches.calls import bind_arguments, copy_outputs, require_national
from bikecast.embedded.sql_pool.batches.frames import Frame, Jump
from bikecast.embedded.sql_pool.catalog.catalog import PROCEDURE, Catalog
from bikecast.embedded.sql_pool.errors import SqlError, undeclared
from bikecast.embedded.sql_pool.expressions.context import Variable
from bikecast.embedded.sql_pool.statements import renames
from bikecast.embedded.sql_pool.syntax import flow
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.definitions import procedure_parameters
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.syntax.undeclared import check_declared
from bikecast.embedded.sql_pool.values.types import MAX, SqlType, nvarchar

if TYPE_CHECKING:
    from sqlglot import exp

    from bikecast.embedded.sql_pool.batches.date_order import DateOrder
    from bikecast.embedded.sql_pool.work import Transaction, Work

TEXT = nvarchar(MAX)


class ProcedureCalls(ABC):
    """Finds what EXEC names; the class on top runs the statements and evaluates arguments."""

    catalog: Catalog
    transaction: Transaction
    date_order: DateOrder
    messages: list[str]

    def __init__(self) -> None:
        self._failing: SqlError | None = None
        self._failed_level = 0  # of the frame in which it was raised
        self._failed_in: str | None = None  # the procedure in which the caught error was raised

    @abstractmethod
    def work(self, frame: Frame) -> Work:
        """What the next statement needs to run."""

    @abstractmethod
    def _body(self, statements: Sequence[st.Statement], frame: Frame) -> None: ...

    @abstractmethod
    def _evaluate(self, tree: exp.Expression, kind: SqlType, frame: Frame) -> object: ...

    def _evaluator(self, frame: Frame) -> Callable[[exp.Expression, SqlType], object]:
        return lambda tree, kind: self._evaluate(tree, kind, frame)

    def _seen(self, error: SqlError, frame: Frame) -> None:
        """Remember the batch or procedure in which an error was raised."""
        if self._failing is not error:
            self._failing, self._failed_level = error, frame.level

    def _execute_procedure(self, statement: flow.ExecuteProcedure, frame: Frame) -> None:
        """EXEC of a procedure; its status is 0 unless it returns another."""
        system = {"sp_executesql": self._execute_sql, "sp_rename": self._rename_column}
        execute = system.get(statement.name.name.lower(), self._execute_stored)
        status = execute(statement, frame) or 0
        if statement.status is not None:
            target = frame.variables.get(statement.status.lower())
            if target is None:
                raise undeclared(statement.status)
            target.value = status

    def _execute_stored(self, statement: flow.ExecuteProcedure, frame: Frame) -> int:
        found = self.catalog.find(statement.name)
        if found is None or found.type != PROCEDURE:
            raise SqlError(2812, f"Could not find stored procedure '{statement.name}'.")
        (definition,) = parse_batch(found.definition)
        assert isinstance(definition, st.CreateProcedure)  # noqa: S101 # it was stored as one
        label = statement.name.name
        variables = bind_arguments(
            definition.parameters,
            statement.arguments,
            label,
            self._evaluator(frame),
            frame.variables,
        )
        inner = frame.nested(variables, label)
        status = 0
        try:
            with self.date_order.restored():
                self._body(definition.body, inner)
        except Jump as jump:
            if jump.kind != "RETURN":
                raise
            status = jump.value
        except SqlError:
            self._failed_in = self._failed_in or label
            raise
        copy_outputs(definition.parameters, statement.arguments, variables, frame.variables)
        return status

    def _execute_sql(self, statement: flow.ExecuteProcedure, frame: Frame) -> None:
        """sp_executesql @stmt, @params, @p = value, ..."""
        if not statement.arguments or statement.arguments[0].value is None:
            raise SqlError(201, "Procedure sp_executesql expects parameter '@statement'.")
        require_national(statement.arguments[0].value, frame.variables)
        text = str(self._evaluate(statement.arguments[0].value, TEXT, frame) or "")
        variables: dict[str, Variable] = {}
        rest = statement.arguments[2:]
        if len(statement.arguments) > 1 and statement.arguments[1].value is not None:
            declared = str(self._evaluate(statement.arguments[1].value, TEXT, frame) or "")
            reader = Reader(declared)
            parameters = procedure_parameters(reader)
            if not reader.at_end:
                raise reader.error()
            variables = bind_arguments(
                parameters, rest, "sp_executesql", self._evaluator(frame), frame.variables
            )
            self._execute_text(text, variables, frame)
            copy_outputs(parameters, rest, variables, frame.variables)
            return
        self._execute_text(text, variables, frame)

    def _rename_column(self, statement: flow.ExecuteProcedure, frame: Frame) -> None:
        """sp_rename @objname, @newname, @objtype."""
        given = bind_arguments(
            renames.PARAMETERS,
            statement.arguments,
            "sp_rename",
            self._evaluator(frame),
            frame.variables,
        )
        self.transaction.forbid()
        work = self.work(frame)
        with self.transaction.statement(work):
            renames.rename_column(
                work, *(str(given[p.name].value or "") for p in renames.PARAMETERS)
            )
        self.messages.append(renames.CAUTION)

    def _execute_text(self, text: str, variables: dict[str, Variable], frame: Frame) -> None:
        inner = frame.nested(variables, frame.procedure)
        try:
            statements = parse_batch(text)
            check_declared(statements, variables)
            with self.date_order.restored():
                self._body(statements, inner)
        except Jump as jump:
            if jump.kind != "RETURN":
                raise
        except SqlError as error:
            self._seen(error, inner)
            raise
