"""Batches at work: variables, control flow, procedures, errors, transactions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlglot import exp

from bikecast.core.sql import ResultSet
from bikecast.embedded.sql_pool.batches import catalog_procedures
from bikecast.embedded.sql_pool.batches.arguments import (
    TEXT,
    bind_arguments,
    copy_outputs,
    raised,
    require_national,
    thrown,
)
from bikecast.embedded.sql_pool.batches.catalog_procedures import catalog_procedure
from bikecast.embedded.sql_pool.batches.frames import Counters, DateOrder, Failures, Frame, Leaving
from bikecast.embedded.sql_pool.catalog.catalog import PROCEDURE, Catalog
from bikecast.embedded.sql_pool.catalog.requests import Requests
from bikecast.embedded.sql_pool.copy import copy_into
from bikecast.embedded.sql_pool.errors import (
    BINDING_ERRORS,
    Cancelled,
    SqlError,
    construct,
    failure,
    interruptible,
    near,
    refused,
)
from bikecast.embedded.sql_pool.expressions.context import Variable, declared
from bikecast.embedded.sql_pool.limits import Limits
from bikecast.embedded.sql_pool.predict.contract import Runs
from bikecast.embedded.sql_pool.results import Budget, Results
from bikecast.embedded.sql_pool.statements import alterations, changes, definitions, reads
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.definitions import procedure_parameters
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.syntax.profile import check_declared
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import INT, SqlType
from bikecast.embedded.sql_pool.work import SessionTransaction, Work, server_values

if TYPE_CHECKING:
    import duckdb

_T = TypeVar("_T")
_DEFINITIONS: dict[type[st.Statement], Callable[[Work, Any], None]] = {
    st.CreateTable: definitions.create_table,
    st.CreateView: definitions.create_view,
    st.CreateProcedure: definitions.create_procedure,
    st.CreateSchema: definitions.create_schema,
    st.Drop: definitions.drop,
    st.Truncate: definitions.truncate,
    st.Rename: alterations.rename,
    st.Transfer: alterations.transfer,
    st.AlterTable: alterations.alter_table,
    st.TableNote: alterations.table_note,
    st.CreateFunction: definitions.create_function,
}
_CHANGES: dict[type[st.Statement], Callable[[Work, Any], int]] = {
    st.Insert: changes.insert,
    st.Update: changes.update,
    st.Delete: changes.delete,
    st.Merge: changes.merge,
}


@dataclass
class Interpreter:
    """Runs the statements of batches on one connection."""

    connection: duckdb.DuckDBPyConnection
    lake_root: Path
    limits: Limits
    lake_url: str = ""
    requests: Requests = field(default_factory=Requests)
    budget: Budget = field(default_factory=Budget)
    path: str = ""
    messages: list[str] = field(default_factory=list)
    cancelled: bool = False  # set by another thread

    def __post_init__(self) -> None:
        self.catalog = Catalog(self.connection, self.requests, self.path)
        self.runs = Runs()
        self.results = Results(self.budget, self.limits)
        self.number = self.requests.new_session()
        self.transaction = SessionTransaction(self.connection)
        self.date_order = DateOrder(self.connection)
        self.failures = Failures()
        self.outcomes: list[ResultSet | int] = []  # of the last batch: results, rows changed
        self.options: dict[str, str] = {}
        self.counters = Counters()

    def batch(self, text: str, variables: dict[str, Variable]) -> list[ResultSet]:
        """Run a batch; an error ends it and rolls back an open transaction."""
        self.outcomes = []
        self.results.release()
        self.failures.caught = None
        self.request = request = self.requests.begin(self.number, text)
        try:
            frame = Frame(variables)
            with interruptible(lambda: self.cancelled):
                statements = parse_batch(text, self.limits)
                check_declared(statements, variables)
                self.run(statements, frame)
            request.end("Completed")
        except Leaving:
            request.end("Completed")
        except BaseException as error:
            is_failure = isinstance(error, Exception) and not self.cancelled
            request.end("Failed" if is_failure else "Cancelled", str(error) if is_failure else "")
            if self.transaction.is_open:
                self.transaction.rollback()
            if isinstance(error, RecursionError):
                raise SqlError(191, "A part of the statement is nested too deeply.") from error
            raise
        return [outcome for outcome in self.outcomes if isinstance(outcome, ResultSet)]

    def insert_rows(
        self, text: str, variables: dict[str, Variable], rows: dict[str, list[object]]
    ) -> bool:
        """Run a batch that is one INSERT ... VALUES for many rows of its variables at once.

        DuckDB takes a list for each variable, and inserts all rows or none. `variables` give the
        types, `rows` the values by lower-case name. False, and nothing done, for another batch.
        Raises SqlError; then an open transaction is rolled back.
        """
        statements = parse_batch(text, self.limits)
        statement = statements[0] if len(statements) == 1 else None
        if not isinstance(statement, st.Insert) or not isinstance(
            statement.tree.expression, exp.Values
        ):
            return False
        check_declared(statements, variables)
        self.outcomes = []
        try:
            if self.cancelled:
                raise Cancelled
            work = self.work(Frame(variables))
            columns = []
            work.context.arguments = {}
            for number, (name, values) in enumerate(rows.items()):
                type_ = variables[name].type
                bound = work.context.bind(values, type_, is_list=True)
                columns.append(f"unnest({bound}) AS v{number}")
                work.context.arguments[name] = Typed(f"p.v{number}", type_)
            with self.transaction.statement(work):
                changes.insert(work, statement, f" FROM (SELECT {', '.join(columns)}) AS p")
        except BaseException:
            if self.transaction.is_open:
                self.transaction.rollback()
            raise
        self.counters.rows = 1
        return True

    def work(self, frame: Frame) -> Work:
        """What the next statement needs to run."""
        self.date_order.apply()
        return Work(
            self.connection,
            self.catalog,
            frame.variables,
            server_values(self.transaction, self.failures.caught, self.failures.procedure)
            | {"SPID": (self.number, SqlType("smallint"))}
            | {"ROWCOUNT": (self.counters.rows, INT), "ERROR": (self.counters.error, INT)},
            self.limits,
            self.results,
            self.runs,
            self.options.get("IDENTITY_INSERT", ""),
        )

    def run(self, statements: Sequence[st.Statement], frame: Frame) -> None:
        """Run statements with the variables of a frame."""
        for statement in statements:
            try:
                self._statement(statement, frame)
            except SqlError as error:
                error.line = error.line or statement.line
                self.failures.note(error, frame.level)
                raise

    def _statement(self, statement: st.Statement, frame: Frame) -> None:
        if self.cancelled:
            raise Cancelled
        define = _DEFINITIONS.get(type(statement))
        change = _CHANGES.get(type(statement))
        if define is not None:
            self.transaction.forbid()
            work = self.work(frame)
            with self.transaction.statement(work):
                define(work, statement)
        elif change is not None:
            work = self.work(frame)
            with self.transaction.statement(work):
                self.counters.rows = change(work, statement)
            self.outcomes.append(self.counters.rows)
        elif isinstance(statement, st.Query):
            self._query(statement, frame)
        elif isinstance(statement, st.CopyInto):
            self.transaction.forbid()
            work = self.work(frame)
            with self.transaction.statement(work):
                self.counters.rows = copy_into.copy_into(
                    work, statement, self.lake_root, self.lake_url
                )
        else:
            self._control(statement, frame)
        self.counters.after(statement, defines=define is not None)

    def _query(self, statement: st.Query, frame: Frame) -> None:
        if reads.fills_table(statement.tree):
            self.transaction.forbid()
        work = self.work(frame)
        with self.transaction.statement(work):
            result = reads.query(work, statement.tree)
            self.counters.rows = result if isinstance(result, int) else len(result.rows)
        if not isinstance(result, int):
            self.outcomes.append(result)

    def _control(self, statement: st.Statement, frame: Frame) -> None:
        if isinstance(statement, st.Block):
            self.run(statement.body, frame)
        elif isinstance(statement, st.If):
            holds = self._holds(statement.condition, frame)
            chosen = statement.then if holds else statement.otherwise
            self.counters.clear()
            if chosen is not None:
                self.run((chosen,), frame)
        elif isinstance(statement, st.While):
            self._while(statement, frame)
        elif isinstance(statement, st.Declare):
            self._declare(statement, frame)
        elif isinstance(statement, st.SetVariable):
            variable = declared(frame.variables, statement.name)
            variable.value = self.evaluate(statement.value, variable.type, frame)
        elif isinstance(statement, st.Transaction):
            {
                "BEGIN": self.transaction.begin,
                "COMMIT": self.transaction.commit,
                "ROLLBACK": self.transaction.rollback,
            }[statement.action]()
        elif isinstance(statement, st.Jump):
            raise self._jump(statement, frame)
        elif isinstance(statement, st.TryCatch):
            self._try(statement, frame)
        elif isinstance(statement, st.Throw):
            raise thrown(statement, partial(self.evaluate, frame=frame), self.failures.caught)
        elif isinstance(statement, st.RaiseError):
            self.messages.append(
                raised(statement, partial(self.evaluate, frame=frame), frame.variables)
            )
        elif isinstance(statement, st.Print):
            self.messages.append(str(self.evaluate(statement.value, TEXT, frame) or ""))
        elif isinstance(statement, st.ExecuteProcedure):
            self._execute_procedure(statement, frame)
        elif isinstance(statement, st.ExecuteText):
            text = self.evaluate(statement.text, TEXT, frame)
            self._execute_text(str(text or ""), {}, frame)
        elif isinstance(statement, st.SetIdentityInsert):
            current = self.options.get("IDENTITY_INSERT", "")
            table = changes.identity_insert(self.work(frame), statement, current)
            self.options["IDENTITY_INSERT"] = table
        elif isinstance(statement, st.SetOption):
            self.options[statement.name.upper()] = statement.value.upper()
            if statement.name.upper() == "DATEFORMAT":
                self.date_order.wanted = statement.value.lower()
        elif not isinstance(statement, st.Use):
            raise AssertionError(f"no step for {type(statement).__name__}")

    def _jump(self, statement: st.Jump, frame: Frame) -> Leaving:
        if statement.value is None:
            return Leaving(statement)
        if frame.procedure is None:
            raise failure("178")
        return Leaving(statement, int(str(self.evaluate(statement.value, INT, frame) or 0)))

    def evaluate(self, tree: exp.Expression, to: SqlType, frame: Frame) -> object:
        """The value of an expression outside of any query, converted to a type."""
        variable = reads.variable_of_type(frame.variables, tree, to)
        if variable is not None:
            return variable.value
        value = self._outside(tree, frame, partial(reads.evaluate, to=to))
        self.results.check_value(value)
        return value

    def _holds(self, tree: exp.Expression, frame: Frame) -> bool:
        return self._outside(tree, frame, reads.holds)

    def _outside(
        self, tree: exp.Expression, frame: Frame, read: Callable[[Work, exp.Expression], _T]
    ) -> _T:
        """An expression in a transaction of its own, or without one in a doomed transaction."""
        work = self.work(frame)
        is_plain = self.transaction.is_doomed and tree.find(exp.Select) is None
        with contextlib.nullcontext() if is_plain else self.transaction.statement(work):
            return read(work, tree)

    def _while(self, statement: st.While, frame: Frame) -> None:
        while self._holds(statement.condition, frame):
            try:
                self.run((statement.body,), frame)
            except Leaving as leaving:
                if leaving.kind == "BREAK":
                    return
                if leaving.kind == "RETURN":
                    raise

    def _declare(self, statement: st.Declare, frame: Frame) -> None:
        names = {name.lower() for name, _, _ in statement.variables}
        for name, _, _ in statement.variables:
            declared = name.lower() in frame.variables and id(statement) not in frame.declared
            if declared or len(names) < len(statement.variables):
                raise failure("134", name)
        frame.declared.add(id(statement))
        values = [
            None if tree is None else self.evaluate(tree, type_, frame)
            for _, type_, tree in statement.variables
        ]
        for (name, type_, tree), value in zip(statement.variables, values, strict=True):
            if tree is not None or name.lower() not in frame.variables:
                frame.variables[name.lower()] = Variable(type_, value)

    def _try(self, statement: st.TryCatch, frame: Frame) -> None:
        failures = self.failures
        before = failures.caught, failures.procedure
        failures.procedure = None
        try:
            self.run(statement.body, frame)
        except SqlError as error:
            if error.number in BINDING_ERRORS and failures.level == frame.level:
                raise  # a statement that cannot be compiled ends the batch it stands in
            failures.caught, self.counters.error, self.counters.rows = error, error.number, 0
            failures.procedure = failures.procedure or frame.procedure
            self.run(statement.handler, frame)
        failures.caught, failures.procedure = before

    def _execute_procedure(self, statement: st.ExecuteProcedure, frame: Frame) -> None:
        """EXEC of a procedure; its status is 0 unless it returns another."""
        system = {"sp_executesql": self._execute_sql, "sp_rename": self._rename_column}
        is_of_catalog = catalog_procedure(statement.name.name)
        stored = self._execute_catalog if is_of_catalog else self._execute_stored
        execute = system.get(statement.name.name.lower(), stored)
        status = execute(statement, frame) or 0
        if statement.status is not None:
            declared(frame.variables, statement.status).value = status

    def _bound(
        self,
        parameters: tuple[st.ParameterDefinition, ...],
        arguments: tuple[st.Argument, ...],
        label: str,
        frame: Frame,
    ) -> dict[str, Variable]:
        evaluate = partial(self.evaluate, frame=frame)
        return bind_arguments(parameters, arguments, label, evaluate, frame.variables)

    def _execute_stored(self, statement: st.ExecuteProcedure, frame: Frame) -> int:
        procedure = self.catalog.find(statement.name)
        what = f"The procedure {statement.name.name.lower()}"
        if procedure is None and construct(what):
            raise refused(what)
        if procedure is None and statement.is_bare and not what.startswith("The procedure sp_"):
            raise near(statement.name.name, statement.line)
        if procedure is None or procedure.type != PROCEDURE:
            raise SqlError(2812, f"Could not find stored procedure '{statement.name}'.")
        (definition,) = parse_batch(procedure.definition)
        assert isinstance(definition, st.CreateProcedure)  # noqa: S101 # it was stored as one
        label = statement.name.name
        variables = self._bound(definition.parameters, statement.arguments, label, frame)
        inner = frame.nested(variables, label)
        status = 0
        try:
            with self.date_order.restored():
                self.run(definition.body, inner)
        except Leaving as leaving:
            if leaving.kind != "RETURN":
                raise
            status = leaving.status
        except SqlError:
            self.failures.procedure = self.failures.procedure or label
            raise
        copy_outputs(definition.parameters, statement.arguments, variables, frame.variables)
        return status

    def _execute_catalog(self, statement: st.ExecuteProcedure, frame: Frame) -> None:
        """sp_columns and its kin."""
        name = catalog_procedure(statement.name.name)
        variables = self._bound(
            catalog_procedures.parameters(name), statement.arguments, name, frame
        )
        query, rows = catalog_procedures.query_of(name), None
        if query:
            self.run(parse_batch(query), frame.nested(variables, name))
            rows = self.outcomes.pop()
        data_type = variables["data_type"].value if "data_type" in variables else None
        assert not isinstance(rows, int)  # noqa: S101 # the text is a query
        self.outcomes.append(catalog_procedures.answer(name, data_type, rows))

    def _execute_sql(self, statement: st.ExecuteProcedure, frame: Frame) -> None:
        """sp_executesql @stmt, @params, @p = value, ..."""
        if not statement.arguments or statement.arguments[0].value is None:
            raise SqlError(201, "Procedure sp_executesql expects parameter '@statement'.")
        require_national(statement.arguments[0].value, frame.variables)
        text = str(self.evaluate(statement.arguments[0].value, TEXT, frame) or "")
        if not frame.level:  # a driver's call shows as the text that it executes
            self.request.show(text)
        rest = statement.arguments[2:]
        if len(statement.arguments) < 2 or statement.arguments[1].value is None:
            self._execute_text(text, {}, frame)
            return
        reader = Reader(str(self.evaluate(statement.arguments[1].value, TEXT, frame) or ""))
        parameters = procedure_parameters(reader)
        if not reader.at_end:
            raise reader.error()
        variables = self._bound(parameters, rest, "sp_executesql", frame)
        self._execute_text(text, variables, frame)
        copy_outputs(parameters, rest, variables, frame.variables)

    def _rename_column(self, statement: st.ExecuteProcedure, frame: Frame) -> None:
        """sp_rename @objname, @newname, @objtype."""
        variables = self._bound(alterations.PARAMETERS, statement.arguments, "sp_rename", frame)
        self.transaction.forbid()
        work = self.work(frame)
        with self.transaction.statement(work):
            alterations.rename_column(
                work, *(str(variables[p.name].value or "") for p in alterations.PARAMETERS)
            )
        self.messages.append(alterations.CAUTION)

    def _execute_text(self, text: str, variables: dict[str, Variable], frame: Frame) -> None:
        """EXEC of a text, a batch with these variables inside of `frame`."""
        inner = frame.nested(variables, frame.procedure)
        try:
            statements = parse_batch(text)
            check_declared(statements, variables)
            with self.date_order.restored():
                self.run(statements, inner)
        except Leaving as leaving:
            if leaving.kind != "RETURN":
                raise
        except SqlError as error:
            self.failures.note(error, inner.level)
            raise
