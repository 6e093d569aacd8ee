"""The variables of a batch or a call, its counters, errors, jumps and order of dates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.expressions.context import Variable
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.statements import Statement
from bikecast.embedded.sql_pool.values.moment_text import DATE_ORDERS

if TYPE_CHECKING:
    import duckdb


MAX_NESTING = 8


class Leaving(Exception):  # control flow, not an error
    """A jump on its way to the loop or the frame that it leaves; RETURN carries `status`."""

    def __init__(self, jump: st.Jump, status: int = 0) -> None:
        super().__init__(jump.kind)
        self.kind = jump.kind
        self.status = status


#: Statements that hold others, which set @@ROWCOUNT and @@ERROR.
_WITH_STATEMENTS = (
    st.Block,
    st.If,
    st.While,
    st.TryCatch,
    st.ExecuteProcedure,
    st.ExecuteText,
)
_WITHOUT_ROWS = (st.Transaction, st.RaiseError, st.Print, st.SetOption)


@dataclass
class Counters:
    """What the last statement left behind: `rows` is @@ROWCOUNT, `error` is @@ERROR.

    Source: https://learn.microsoft.com/sql/t-sql/functions/rowcount-transact-sql
    """

    rows: int = 0
    error: int = 0

    def clear(self) -> None:
        """Behind a condition."""
        self.rows = self.error = 0

    def after(self, statement: Statement, *, defines: bool) -> None:
        """Behind a statement that succeeded; `defines` for CREATE and its kin."""
        if isinstance(statement, _WITH_STATEMENTS):
            return
        self.error = 0
        if defines or isinstance(statement, _WITHOUT_ROWS):
            self.rows = 0
        elif isinstance(statement, st.SetVariable) or (
            isinstance(statement, st.Declare)
            and any(value is not None for _, _, value in statement.variables)
        ):
            self.rows = 1


@dataclass
class Failures:
    """The errors of a session's batches: the one on its way, and the one that CATCH handles."""

    caught: SqlError | None = None
    procedure: str | None = None
    """The procedure in which the caught error was raised."""
    level: int = 0
    """Of the frame in which the latest error was raised."""
    _latest: SqlError | None = None

    def note(self, error: SqlError, level: int) -> None:
        """Remember the level of the frame in which an error was raised first."""
        if self._latest is not error:
            self._latest, self.level = error, level


@dataclass
class Frame:
    """The variables of one batch or procedure call; `declared` are the statements that ran."""

    variables: dict[str, Variable] = field(default_factory=dict)
    declared: set[int] = field(default_factory=set)
    level: int = 0
    procedure: str | None = None

    def nested(self, variables: dict[str, Variable], procedure: str | None) -> Frame:
        """The frame of a call from this one.

        Raises SqlError 217 beyond the limit of nesting.
        """
        if self.level >= MAX_NESTING:
            raise failure("217", MAX_NESTING)
        return Frame(variables, level=self.level + 1, procedure=procedure)


@dataclass
class DateOrder:
    """The order of one session, which the compiled SQL reads from a variable of its connection."""

    connection: duckdb.DuckDBPyConnection
    wanted: str = "mdy"
    _applied: str = "mdy"

    def apply(self) -> None:
        """Let the next statement read by the order that is wanted."""
        if self.wanted != self._applied:
            code = DATE_ORDERS[self.wanted]
            self.connection.execute(f"SET VARIABLE tsql_date_order = {code}")
            self._applied = self.wanted

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """What a procedure or an executed text sets ends with it."""
        kept = self.wanted
        try:
            yield
        finally:
            self.wanted = kept
