"""INSERT ... VALUES for many rows of its variables at once: what drivers send row by row.

One statement of DuckDB takes a list for each variable. It inserts all rows or none, so after an
error the caller runs the rows one by one, as they came.
"""
# the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from resources.sql_pool.engine import execute
from resources.sql_pool.engine import statements as st
from resources.sql_pool.engine.context import Variable
from resources.sql_pool.engine.errors import Cancelled
from resources.sql_pool.engine.frames import Frame
from resources.sql_pool.engine.parser import parse_batch
from resources.sql_pool.engine.scope import Typed
from resources.sql_pool.engine.undeclared import check_declared

if TYPE_CHECKING:
    from resources.sql_pool.engine.control import Interpreter


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
    statements = parse_batch(text)
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
            kind = variables[name].type
            columns.append(f"unnest({work.context.bind_list(values, kind)}) AS v{number}")
            arguments[name] = Typed(f"p.v{number}", kind)
        work.context.arguments = arguments
        with interpreter.transaction.statement(work):
            execute.insert(work, statement, f" FROM (SELECT {', '.join(columns)}) AS p")
    except BaseException:
        if interpreter.transaction.is_open:
            interpreter.transaction.rollback()
        raise
    interpreter.counters.rows = 1
    return True
