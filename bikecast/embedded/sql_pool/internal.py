"""The internal interface: what the TDS endpoint needs of the engine beyond the face.

A driver types its parameters itself and wants their values back, counts the rows of every
statement, cancels, and asks what a batch would need before it runs it. `tds` imports this module
and `pool`, nothing else of the engine; everybody outside of the package uses the face.
"""

from __future__ import annotations

import datetime
import decimal as decimals
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot.tokenizer_core import TokenType

from bikecast.core.sql import ResultSet
from bikecast.embedded.sql_pool import inference
from bikecast.embedded.sql_pool.batches.interpreter import Interpreter
from bikecast.embedded.sql_pool.catalog.requests import Requests, requests_of
from bikecast.embedded.sql_pool.errors import INTERNAL_ERROR, Cancelled, SqlError, failure
from bikecast.embedded.sql_pool.expressions.context import Variable
from bikecast.embedded.sql_pool.limits import Limits
from bikecast.embedded.sql_pool.results import Budget, budget_of
from bikecast.embedded.sql_pool.syntax.definitions import procedure_parameters
from bikecast.embedded.sql_pool.syntax.names import in_database
from bikecast.embedded.sql_pool.syntax.reader import PARAMETER_PREFIX, Reader
from bikecast.embedded.sql_pool.values.types import (
    BIGINT,
    BIT,
    DATE,
    DATETIME2,
    DATETIMEOFFSET,
    FLOAT,
    INT,
    MAX,
    NULL,
    TYPES,
    SqlType,
    decimal,
    make_type,
    nvarchar,
    varbinary,
)

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "INT",
    "INTERNAL_ERROR",
    "MAX",
    "TYPES",
    "Cancelled",
    "EngineSession",
    "SqlType",
    "Variable",
    "declared_parameters",
    "make_type",
    "nvarchar",
    "parameter_variable",
]


class EngineSession:
    """One connection of the engine, with its temp tables, its SET options and its transaction."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        lake_root: Path,
        limits: Limits,
        lake_url: str,
        path: str = "",
        database: str = "pool",
    ) -> None:
        self._database = database
        self._interpreter = Interpreter(
            connection,
            lake_root,
            limits,
            lake_url,
            requests_of(path) if path else Requests(),
            budget_of(path) if path else Budget(),
            path,
        )

    @property
    def number(self) -> int:
        """@@SPID, which a connection keeps although its engine session is opened again."""
        return self._interpreter.number

    @number.setter
    def number(self, number: int) -> None:
        self._interpreter.number = number

    @property
    def messages(self) -> list[str]:
        """The texts of PRINT and of RAISERROR up to severity 10, in order."""
        return self._interpreter.messages

    def run(self, batch: str, variables: dict[str, Variable]) -> list[ResultSet]:
        """Run one batch with typed variables, by lower-case name without the @.

        The values that the batch assigns are left in `variables`. Raises SqlError; an error rolls
        back an open transaction. Raises Cancelled after `cancel`.
        """
        with in_database(self._database):
            return self._interpreter.batch(batch, variables)

    def run_positional(self, batch: str, parameters: Sequence[object]) -> list[ResultSet]:
        """Run one batch whose ? marks `parameters` fill in order.

        Raises SqlError, 8178 where the numbers of both differ.
        """
        if parameters or "?" in batch:
            with in_database(self._database):
                _check_count(batch, len(parameters))
        variables = {
            f"{PARAMETER_PREFIX}{i}": parameter_variable(value)
            for i, value in enumerate(parameters, 1)
        }
        return self.run(batch, variables)

    def insert_rows(
        self, batch: str, variables: dict[str, Variable], rows: dict[str, list[object]]
    ) -> bool:
        """Run a batch that is one INSERT ... VALUES for many rows of its variables, or do nothing.

        `variables` give the types, `rows` the values in DuckDB's form, by lower-case name. All
        rows are inserted or none. Returns False for any other batch. Raises SqlError.
        """
        with in_database(self._database):
            return self._interpreter.insert_rows(batch, variables, rows)

    @property
    def outcomes(self) -> list[ResultSet | int]:
        """What the last batch did up to its end or error: result sets and numbers of changed rows.

        The numbers are left out after SET NOCOUNT ON.
        """
        return [
            outcome
            for outcome in self._interpreter.outcomes
            if isinstance(outcome, ResultSet) or not self.is_quiet
        ]

    @property
    def options(self) -> dict[str, str]:
        """What SET statements gave the session, by upper-case name."""
        order = self._interpreter.date_order.wanted
        return {**self._interpreter.options, "DATEFORMAT": order.upper()}

    @options.setter
    def options(self, options: dict[str, str]) -> None:
        self._interpreter.options = dict(options)
        self._interpreter.date_order.wanted = options.get("DATEFORMAT", "MDY").lower()

    @property
    def is_quiet(self) -> bool:
        """Whether SET NOCOUNT is ON."""
        return self._interpreter.options.get("NOCOUNT") == "ON"

    def undeclared_parameters(self, batch: str, declared: set[str]) -> dict[str, SqlType | None]:
        """The parameters of a batch but those of `declared` (lower case, without the @), in order.

        Each has the type of the column that it meets, None where it meets none. Raises SqlError
        for a batch that cannot be parsed.
        """
        with in_database(self._database):
            return inference.undeclared_parameters(self._interpreter.catalog, batch, declared)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._interpreter.transaction.is_open

    @property
    def holds_state(self) -> bool:
        """Whether closing the session would lose something: a transaction or a temp table."""
        return self.in_transaction or self._interpreter.catalog.has_temporary

    def cancel(self) -> None:
        """End the running batch from another thread; `run` raises SqlError or Cancelled.

        A batch that starts while this runs may be ended too, so call `resume` when it has ended.
        Nothing happens where the session has been closed.
        """
        import duckdb

        self._interpreter.cancelled = True
        self._interpreter.runs.terminate()
        with suppress(duckdb.ConnectionException):  # the session has been closed
            self._interpreter.connection.interrupt()

    def resume(self) -> None:
        """Let batches run again after `cancel`."""
        self._interpreter.cancelled = False

    def close(self) -> None:
        """Roll back what was not committed."""
        self._interpreter.results.release()
        if self._interpreter.transaction.is_open:
            self._interpreter.transaction.rollback()


def _check_count(batch: str, count: int) -> None:
    marks = sum(
        token.token_type is TokenType.VAR and token.text.startswith(PARAMETER_PREFIX)
        for token in Reader(batch).tokens
    )
    if marks != count:
        raise failure("8178b", marks, count)


def declared_parameters(text: str) -> list[tuple[str, SqlType]]:
    """Lower-case names and types of a declaration list such as `@a int, @b nvarchar(10)`.

    Raises SqlError for a text that is no such list.
    """
    return [(p.name.lower(), p.type) for p in procedure_parameters(Reader(text))]


def parameter_variable(value: object) -> Variable:
    """A Python value as a typed variable, by the types that pyodbc binds.

    Raises SqlError for a value of another type.
    """
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        offset = value.utcoffset() or datetime.timedelta()
        utc = value.astimezone(datetime.UTC).replace(tzinfo=None)
        minutes = int(offset.total_seconds() // 60)
        return Variable(DATETIMEOFFSET, {"utc": utc, "minutes": minutes})
    return Variable(_parameter_type(value), value)


def _parameter_type(value: object) -> SqlType:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BIT
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise SqlError(8115, "Arithmetic overflow error converting a parameter to bigint.")
        return INT if -(2**31) <= value < 2**31 else BIGINT
    if isinstance(value, float):
        return FLOAT
    if isinstance(value, str):
        return nvarchar(max(len(value), 1))
    if isinstance(value, bytes):
        return varbinary(max(len(value), 1))
    if isinstance(value, decimals.Decimal):
        _, digits, exponent = value.as_tuple()
        scale = max(-int(exponent), 0)
        return decimal(max(len(digits), scale, 1), scale)
    if isinstance(value, datetime.datetime):
        return DATETIME2
    if isinstance(value, datetime.date):
        return DATE
    if isinstance(value, datetime.time):
        return SqlType("time", scale=7)
    if isinstance(value, uuid.UUID):
        return SqlType("uniqueidentifier")
    raise SqlError(257, f"A parameter of the type {type(value).__name__} is not supported.")
