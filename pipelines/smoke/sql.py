"""Hearing what is asked of the SQL pool: kinds of statements and results, no text and no value."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bikecast.core.sql import ResultSet, SqlError
from bikecast.embedded.sql_pool import statement_kinds
from resources.sql_pool.port import Session, SqlPool

Hear = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class HeardSqlPool:
    """A pool whose logins and batches are passed to `hear`; implements the port SqlPool."""

    pool: SqlPool
    hear: Hear

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session of the pool."""
        begun = time.monotonic()
        try:
            with self.pool.session() as session:
                self.hear({"batch": ["Login"], "error": 0, "seconds": _since(begun)})
                yield _HeardSession(session, self.hear)
        except SqlError as error:
            self.hear({"batch": ["Login or session"], "error": error.number})
            raise


@dataclass(frozen=True)
class _HeardSession:
    session: Session
    hear: Hear

    @property
    def messages(self) -> list[str]:
        return self.session.messages

    def run(self, batch: str, parameters: Sequence[object] = ()) -> list[ResultSet]:
        facts: dict[str, Any] = {
            "batch": _kinds(batch),
            "parameters": [type(value).__name__ for value in parameters],
        }
        begun = time.monotonic()
        try:
            results = self.session.run(batch, parameters)
        except SqlError as error:
            self.hear({**facts, "error": error.number, "seconds": _since(begun)})
            raise
        shapes = [
            {"types": [column.sql_type for column in result.columns], "rows": len(result.rows)}
            for result in results
        ]
        self.hear({**facts, "error": 0, "results": shapes, "seconds": _since(begun)})
        return results


def _kinds(batch: str) -> list[str]:
    """The kinds of a batch's statements by the embedded pool's grammar, such as Query, Insert."""
    try:
        return statement_kinds(batch)
    except SqlError:
        return ["not understood here"]


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
