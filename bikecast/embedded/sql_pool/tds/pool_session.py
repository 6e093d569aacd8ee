"""A connection's session in the pool, which has the pool's file only while it needs it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from bikecast.core.sql import ResultSet, SqlError
from bikecast.embedded.sql_pool.internal import (
    INTERNAL_ERROR,
    Cancelled,
    EngineSession,
    SqlType,
    Variable,
)
from bikecast.embedded.sql_pool.pool import Pool

_log = logging.getLogger(__name__)


@dataclass
class Answer:
    """What a batch or a call returned; `outputs` by number of the parameter.

    An outcome is a result set, or the number of rows that a statement changed.
    """

    outcomes: list[ResultSet | int] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    error: SqlError | None = None
    status: int = 0
    """The value of a procedure's RETURN."""
    outputs: list[tuple[int, str, Variable]] = field(default_factory=list)


class PoolSession:
    """An engine session that is opened by the first batch and closed when nothing needs it.

    The file is free for other processes while no connection has a transaction or a temporary
    table and none was busy a moment ago.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._stack = contextlib.ExitStack()
        self._session: EngineSession | None = None
        self._number = 0
        self._options: dict[str, str] = {}  # what SET gave a session that was released
        self.implicit = False
        """SET IMPLICIT_TRANSACTIONS ON: a batch begins a transaction where none is open."""

    @property
    def is_open(self) -> bool:
        """Whether the pool's file is held."""
        return self._session is not None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._session is not None and self._session.in_transaction

    def run(self, batch: str, variables: dict[str, Variable]) -> Answer:
        """Run a batch; its error, if any, is in the answer. Outputs are left in `variables`."""
        answer = Answer()

        def work(session: EngineSession) -> None:
            if self.implicit and not session.in_transaction:
                session.run("BEGIN TRANSACTION", {})
            try:
                session.run(batch, variables)
            finally:
                answer.outcomes = session.outcomes

        self._guarded(work, answer)
        return answer

    def insert_rows(
        self, batch: str, variables: dict[str, Variable], rows: dict[str, list[object]]
    ) -> list[Answer] | None:
        """Run a batch that is one INSERT for every row at once, and answer as for each.

        None where the rows must run one by one: for another batch, and after an error, unless it
        ended an open transaction; then nothing was inserted.
        """
        answer = Answer()
        done: list[bool] = []
        in_transaction = self.implicit or self.in_transaction

        def work(session: EngineSession) -> None:
            if self.implicit and not session.in_transaction:
                session.run("BEGIN TRANSACTION", {})
            done.append(session.insert_rows(batch, variables, rows))
            answer.outcomes = [] if session.is_quiet else [1]

        self._guarded(work, answer)
        if answer.error is not None and in_transaction:
            return [answer]
        if answer.error is not None or done != [True]:
            return None
        return [answer] * len(next(iter(rows.values())))

    def transaction(self, action: str) -> Answer:
        """BEGIN, COMMIT or ROLLBACK TRANSACTION."""
        answer = Answer()
        self._guarded(lambda session: session.run(f"{action} TRANSACTION", {}), answer)
        return answer

    def _guarded(self, work: Callable[[EngineSession], object], answer: Answer) -> None:
        session: EngineSession | None = None
        earlier = 0
        try:
            session = self._opened()
            earlier = len(session.messages)
            work(session)
        except SqlError as error:
            answer.error = error
        except Cancelled:
            answer.error = SqlError(3617, "The query was cancelled.")
        except Exception as error:  # noqa: BLE001 # a fault of the engine must not end the server
            _log.exception("The embedded SQL pool failed on a batch")
            message = f"An internal error occurred in the embedded SQL pool: {type(error).__name__}"
            answer.error = SqlError(INTERNAL_ERROR, message)
        if session is not None:
            answer.messages = session.messages[earlier:]
            session.messages.clear()

    def _opened(self) -> EngineSession:
        if self._session is None:
            self._session = self._stack.enter_context(self._pool.engine_session())
            self._session.options = self._options
            self._session.number = self._number = self._number or self._session.number
        return self._session

    def undeclared_parameters(self, batch: str, declared: set[str]) -> dict[str, SqlType | None]:
        """The batch's parameters but those of `declared`, each with its type; see EngineSession."""
        return self._opened().undeclared_parameters(batch, declared)

    def cancel(self) -> None:
        """End the running batch, from another thread."""
        session = self._session
        if session is not None:
            session.cancel()

    def resume(self) -> None:
        """Allow batches again after `cancel`."""
        if self._session is not None:
            self._session.resume()

    def release(self) -> None:
        """Give the file back, unless a transaction or a temporary table needs it."""
        if self._session is not None and not self._session.holds_state:
            kept = self._session.options
            self.close()
            self._options = kept

    def close(self) -> None:
        """Roll back, drop temporary tables, forget what was SET and give the file back."""
        self._session = None
        self._options = {}
        self._stack.close()
