"""The embedded dedicated SQL pool: T-SQL and PREDICT in one DuckDB file.

README.md says what it is and how it is used; tests/unit/sql_pool/test_floors.py holds the order
of its floors. What is not listed in `__all__` is the package's own. DuckDB, sqlglot and ONNX
Runtime are imported by the first session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bikecast.core.sql import ResultColumn, ResultSet, SqlError
from bikecast.embedded.sql_pool.limits import Limits
from bikecast.embedded.sql_pool.pool import Pool, Session
from bikecast.embedded.sql_pool.tds.credentials import Credentials

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from bikecast.embedded.sql_pool.tds.server import SqlServer

__all__ = [
    "Credentials",
    "Limits",
    "Pool",
    "ResultColumn",
    "ResultSet",
    "Session",
    "SqlError",
    "serve",
    "server_context",
    "statement_kinds",
]


def statement_kinds(batch: str) -> list[str]:
    """What a batch would do: the kinds of its statements in order, such as Query, Insert, Drop.

    Nothing is run. Raises SqlError for a batch that the pool does not understand.
    """
    from bikecast.embedded.sql_pool.syntax.parser import parse_batch

    return [type(statement).__name__ for statement in parse_batch(batch)]


def serve(
    pool: Pool,
    host: str,
    port: int,
    credentials: Credentials,
    *,
    context: ssl.SSLContext | None = None,
) -> SqlServer:
    """Start the TDS endpoint of a pool; leaving it as a context manager closes it.

    Port 0 takes a free one; `port` of the result is the real one, and its `wait` blocks.
    `credentials` is asked to `accept` each login; an SqlError of it is the answer, and a
    ConnectionError drops the connection. `context` makes TLS compulsory. Raises BikecastError
    where the address is taken or not allowed.
    """
    from bikecast.embedded.sql_pool.tds.server import SqlServer

    server = SqlServer(pool, host, port, credentials, context)
    server.start()
    return server


def server_context(folder: Path, names: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A TLS context for `serve` with the certificate `server.pem` of `folder`, made if missing.

    `names` are further names or addresses that a new certificate is for. Raises OSError for a
    file that cannot be used.
    """
    from bikecast.embedded.sql_pool.tds import certificate

    return certificate.server_context(folder, names)
