"""One statement at work: its compiler context, its transaction, and DuckDB underneath."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bikecast.embedded.sql_pool.catalog.catalog import Catalog
from bikecast.embedded.sql_pool.errors import SqlError, failure, from_duckdb, refused
from bikecast.embedded.sql_pool.expressions.context import Context, Variable
from bikecast.embedded.sql_pool.limits import Limits
from bikecast.embedded.sql_pool.predict.contract import Runs
from bikecast.embedded.sql_pool.predict.scorers import Scorers
from bikecast.embedded.sql_pool.results import Results
from bikecast.embedded.sql_pool.values.scope import BoundQuery
from bikecast.embedded.sql_pool.values.types import INT, SqlType, nvarchar

if TYPE_CHECKING:
    import duckdb

#: More often than a client cancels one batch.
_TRIES = 10
_REFERENCE = re.compile(r"\$(bound_\d+_)")
ServerValues = dict[str, tuple[object, SqlType]]


class Work:
    """What a statement needs to run. Its parameters are collected while it is compiled."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalog: Catalog,
        variables: dict[str, Variable],
        server: ServerValues,
        limits: Limits,
        results: Results,
        runs: Runs,
        identity_insert: str = "",
    ) -> None:
        self.connection = connection
        self.results = results
        self.identity_insert = identity_insert
        """The key of the table whose IDENTITY column takes values."""
        self.catalog = catalog
        self.scorers = Scorers(connection, limits, runs)
        self.context = Context(catalog, variables, server, self.scorers, self._scalar)

    def run(self, sql: str) -> list[tuple[object, ...]]:
        """Run DuckDB SQL with the parameters that its compilation bound; return the rows.

        Raises SqlError with SQL Server's number.
        """
        return self._run(sql, self.context.parameters)

    def count(self, sql: str) -> int:
        """Run a change and return the number of rows it changed."""
        rows = self.run(sql)
        return int(str(rows[0][0])) if rows else 0

    def _run(self, sql: str, parameters: dict[str, object]) -> list[tuple[object, ...]]:
        import duckdb

        try:
            return self.results.fetch(
                self.connection.execute(sql, used_parameters(sql, parameters))
            )
        except duckdb.Error as error:
            raise from_duckdb(error) from error

    def _scalar(self, query: BoundQuery, parameters: dict[str, object]) -> object:
        rows = self._run(query.sql, parameters)
        if len(rows) > 1:
            raise SqlError(512, "Subquery returned more than 1 value. This is not permitted here.")
        return rows[0][0] if rows else None


def used_parameters(sql: str, parameters: dict[str, object]) -> dict[str, object] | None:
    """Those of the bound values that a text refers to; DuckDB takes no others.

    A conversion may have dropped a reference: a NULL needs no value.
    """
    names = set(_REFERENCE.findall(sql)) if parameters else set()
    return {name: value for name, value in parameters.items() if name in names} or None


class SessionTransaction:
    """The transaction of a session: T-SQL's state on top of DuckDB's.

    Outside of BEGIN TRANSACTION every statement is a transaction of its own.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.is_open = False
        self.is_doomed = False
        """An error happened inside: nothing but ROLLBACK is allowed (XACT_STATE() is -2)."""

    @property
    def state(self) -> int:
        """XACT_STATE() of a dedicated pool."""
        return 0 if not self.is_open else -2 if self.is_doomed else 1

    def begin(self) -> None:
        """BEGIN TRANSACTION."""
        import duckdb

        self.require_healthy()
        if self.is_open:
            raise refused("A nested transaction")
        try:
            self._connection.execute("BEGIN")
        except duckdb.Error as error:  # a cancel leaves a transaction that takes nothing more
            self._roll_back()
            raise from_duckdb(error) from error
        self.is_open = True

    def commit(self) -> None:
        """COMMIT TRANSACTION."""
        import duckdb

        self.require_healthy()
        if not self.is_open:
            raise failure("3902")
        self.is_open = False
        try:
            self._connection.execute("COMMIT")
        except duckdb.Error as error:
            self._roll_back()
            raise from_duckdb(error) from error

    def rollback(self) -> None:
        """ROLLBACK TRANSACTION."""
        if not self.is_open:
            raise failure("3903")
        if self.is_doomed:
            self.is_open = self.is_doomed = False
            return
        self.is_open = False
        self._roll_back()

    def _roll_back(self) -> None:
        """End DuckDB's transaction, if there is one, although a cancel may interrupt a try."""
        import duckdb

        for _ in range(_TRIES):
            try:
                self._connection.execute("ROLLBACK")
            except duckdb.InterruptException:
                continue
            except duckdb.Error:  # there is none
                pass
            return

    def require_healthy(self) -> None:
        """Raise 111233 in a doomed transaction."""
        if self.is_doomed:
            raise failure("111233")

    def forbid(self) -> None:
        """Raise in an open transaction: definitions and loads are not allowed there."""
        if self.is_open:
            raise SqlError(111212, "Operation cannot be performed within a transaction.")

    @contextlib.contextmanager
    def statement(self, work: Work) -> Iterator[None]:
        """Run one statement: it takes effect as a whole or not at all."""
        import duckdb

        self.require_healthy()
        own = not self.is_open
        try:
            work.catalog.begin(own=own)
            if own:
                self._connection.execute("BEGIN")
            yield
            work.scorers.check()
            work.scorers.release()
            if own:
                with work.catalog.committing():
                    self._connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            self.is_doomed = self.is_open
            work.scorers.release()
            if isinstance(error, Exception):
                work.scorers.check()  # rows that were not scored are the cause of what followed
            if isinstance(error, duckdb.Error):
                raise from_duckdb(error) from error
            raise


def server_values(
    transaction: SessionTransaction, error: SqlError | None, failed_in: str | None
) -> ServerValues:
    """What @@NAME and the functions of the session return.

    `error` is the one that a CATCH block handles, `failed_in` the procedure that raised it.
    """
    return {
        "TRANCOUNT": (int(transaction.is_open), INT),
        "VERSION": ("bikecast embedded dedicated SQL pool", nvarchar(300)),
        "SERVERNAME": ("bikecast", nvarchar(128)),
        "DATEFIRST": (7, SqlType("tinyint")),
        "LANGUAGE": ("us_english", nvarchar(128)),
        "LANGID": (0, SqlType("smallint")),
        "XACT_STATE": (transaction.state, SqlType("smallint")),
        "ERROR_NUMBER": (error.number if error else None, INT),
        "ERROR_MESSAGE": (error.message if error else None, nvarchar(4000)),
        "ERROR_SEVERITY": (error.severity if error else None, INT),
        "ERROR_STATE": (error.state if error else None, INT),
        "ERROR_PROCEDURE": (failed_in if error else None, nvarchar(128)),
    }
