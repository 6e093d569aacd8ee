"""EXEC: stored procedures, the system's own, and texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from bikecast.embedded.sql_pool.batches import catalog_procedures
from bikecast.embedded.sql_pool.batches.arguments import (
    TEXT,
    bind_arguments,
    copy_outputs,
    require_national,
)
from bikecast.embedded.sql_pool.batches.catalog_procedures import catalog_procedure
from bikecast.embedded.sql_pool.batches.frames import Failures, Frame, Leaving
from bikecast.embedded.sql_pool.catalog.catalog import PROCEDURE, Catalog
from bikecast.embedded.sql_pool.errors import SqlError, near
from bikecast.embedded.sql_pool.expressions.context import Variable, declared
from bikecast.embedded.sql_pool.statements import alterations
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.definitions import procedure_parameters
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.syntax.profile import check_declared
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.values.types import SqlType

if TYPE_CHECKING:
    from sqlglot import exp

    from bikecast.core.sql import ResultSet
    from bikecast.embedded.sql_pool.batches.frames import DateOrder
    from bikecast.embedded.sql_pool.catalog.requests import Request
    from bikecast.embedded.sql_pool.work import SessionTransaction, Work


class Runner(Protocol):
    """What EXEC needs of the interpreter that runs its batch."""

    catalog: Catalog
    transaction: SessionTransaction
    date_order: DateOrder
    failures: Failures
    messages: list[str]
    outcomes: list[ResultSet | int]
    request: Request

    def work(self, frame: Frame) -> Work:
        """What the next statement needs to run."""

    def run(self, statements: Sequence[st.Statement], frame: Frame) -> None:
        """Run statements with the variables of a frame."""

    def evaluate(self, tree: exp.Expression, to: SqlType, frame: Frame) -> object:
        """The value of an expression outside of any query, converted to a type."""


def execute_procedure(runner: Runner, statement: st.ExecuteProcedure, frame: Frame) -> None:
    """EXEC of a procedure; its status is 0 unless it returns another."""
    system = {"sp_executesql": _execute_sql, "sp_rename": _rename_column}
    stored = _execute_catalog if catalog_procedure(statement.name.name) else _execute_stored
    execute = system.get(statement.name.name.lower(), stored)
    status = execute(runner, statement, frame) or 0
    if statement.status is not None:
        declared(frame.variables, statement.status).value = status


def _bound(
    runner: Runner,
    parameters: tuple[st.ParameterDefinition, ...],
    arguments: tuple[st.Argument, ...],
    label: str,
    frame: Frame,
) -> dict[str, Variable]:
    evaluate = partial(runner.evaluate, frame=frame)
    return bind_arguments(parameters, arguments, label, evaluate, frame.variables)


def _execute_stored(runner: Runner, statement: st.ExecuteProcedure, frame: Frame) -> int:
    procedure = runner.catalog.find(statement.name)
    if procedure is None and statement.is_bare:
        raise near(statement.name.name, statement.line)
    if procedure is None or procedure.type != PROCEDURE:
        raise SqlError(2812, f"Could not find stored procedure '{statement.name}'.")
    (definition,) = parse_batch(procedure.definition)
    assert isinstance(definition, st.CreateProcedure)  # noqa: S101 # it was stored as one
    label = statement.name.name
    variables = _bound(runner, definition.parameters, statement.arguments, label, frame)
    inner = frame.nested(variables, label)
    status = 0
    try:
        with runner.date_order.restored():
            runner.run(definition.body, inner)
    except Leaving as leaving:
        if leaving.kind != "RETURN":
            raise
        status = leaving.status
    except SqlError:
        failures = runner.failures
        failures.procedure = failures.procedure or label
        raise
    copy_outputs(definition.parameters, statement.arguments, variables, frame.variables)
    return status


def _execute_catalog(runner: Runner, statement: st.ExecuteProcedure, frame: Frame) -> None:
    """sp_columns and its kin."""
    name = catalog_procedure(statement.name.name)
    variables = _bound(
        runner, catalog_procedures.parameters(name), statement.arguments, name, frame
    )
    query, rows = catalog_procedures.query_of(name), None
    if query:
        runner.run(parse_batch(query), frame.nested(variables, name))
        rows = runner.outcomes.pop()
    data_type = variables["data_type"].value if "data_type" in variables else None
    assert not isinstance(rows, int)  # noqa: S101 # the text is a query
    runner.outcomes.append(catalog_procedures.answer(name, data_type, rows))


def _execute_sql(runner: Runner, statement: st.ExecuteProcedure, frame: Frame) -> None:
    """sp_executesql @stmt, @params, @p = value, ..."""
    if not statement.arguments or statement.arguments[0].value is None:
        raise SqlError(201, "Procedure sp_executesql expects parameter '@statement'.")
    require_national(statement.arguments[0].value, frame.variables)
    text = str(runner.evaluate(statement.arguments[0].value, TEXT, frame) or "")
    if not frame.level:  # a driver's call shows as the text that it executes
        runner.request.show(text)
    variables: dict[str, Variable] = {}
    rest = statement.arguments[2:]
    if len(statement.arguments) > 1 and statement.arguments[1].value is not None:
        parameter_list = str(runner.evaluate(statement.arguments[1].value, TEXT, frame) or "")
        reader = Reader(parameter_list)
        parameters = procedure_parameters(reader)
        if not reader.at_end:
            raise reader.error()
        variables = _bound(runner, parameters, rest, "sp_executesql", frame)
        execute_text(runner, text, variables, frame)
        copy_outputs(parameters, rest, variables, frame.variables)
        return
    execute_text(runner, text, variables, frame)


def _rename_column(runner: Runner, statement: st.ExecuteProcedure, frame: Frame) -> None:
    """sp_rename @objname, @newname, @objtype."""
    variables = _bound(runner, alterations.PARAMETERS, statement.arguments, "sp_rename", frame)
    runner.transaction.forbid()
    work = runner.work(frame)
    with runner.transaction.statement(work):
        alterations.rename_column(
            work, *(str(variables[p.name].value or "") for p in alterations.PARAMETERS)
        )
    runner.messages.append(alterations.CAUTION)


def execute_text(runner: Runner, text: str, variables: dict[str, Variable], frame: Frame) -> None:
    """EXEC of a text, a batch with these variables inside of `frame`."""
    inner = frame.nested(variables, frame.procedure)
    try:
        statements = parse_batch(text)
        check_declared(statements, variables)
        with runner.date_order.restored():
            runner.run(statements, inner)
    except Leaving as leaving:
        if leaving.kind != "RETURN":
            raise
    except SqlError as error:
        runner.failures.note(error, inner.level)
        raise
