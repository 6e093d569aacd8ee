"""INSERT ... VALUES for many rows of its variables at once: what drivers send row by row.

One statement of DuckDB takes a list for each variable. It inserts all rows or none, so after an
error the caller runs the rows one by one, as they came.
"""
# the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from bikecast.embedded.sql_pool.batches.frames import Frame
from bikecast.embedded.sql_pool.errors import Cancelled
from bikecast.embedded.sql_pool.expressions.context import Variable
from bikecast.embedded.sql_pool.statements import changes
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.syntax.profile import check_declared
from bikecast.embedded.sql_pool.values.scope import Typed

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.batches.interpreter import Interpreter


def insert_rows(
    interpreter: Interpreter,
    text: str,
    variables: dict[str, Variable],
    rows: dict[str, list[object]],
) -> bool:
    """Run a batch that is one INSERT ... VALUES; False, and nothing done, for any other.

    `variables` give the types and `rows` the values by lower-case name. Raises SqlError, and then
    no row was inserted and an open transaction is rolled back.
    """
    statements = parse_batch(text, interpreter.limits)
    statement = statements[0] if len(statements) == 1 else None
    if not isinstance(statement, st.Insert) or not isinstance(
        statement.tree.expression, exp.Values
    ):
        return False
    check_declared(statements, variables)
    interpreter.outcomes = []
    try:
        if interpreter.cancelled:
            raise Cancelled
        work = interpreter.work(Frame(variables))
        columns = []
        arguments = {}
        for number, (name, values) in enumerate(rows.items()):
            type_ = variables[name].type
            columns.append(f"unnest({work.context.bind_list(values, type_)}) AS v{number}")
            arguments[name] = Typed(f"p.v{number}", type_)
        work.context.arguments = arguments
        with interpreter.transaction.statement(work):
            changes.insert(work, statement, f" FROM (SELECT {', '.join(columns)}) AS p")
    except BaseException:
        if interpreter.transaction.is_open:
            interpreter.transaction.rollback()
        raise
    interpreter.counters.rows = 1
    return True
