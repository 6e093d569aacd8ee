"""A Synapse dedicated SQL pool through pyodbc and Microsoft's ODBC Driver 18."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import logging
import os
import re
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from bikecast.core.sql import ResultColumn, ResultSet, SqlError
from bikecast.embedded.sql_pool import statement_kinds
from resources.azure.credentials import azure_credential

if TYPE_CHECKING:
    import pyodbc

_log = logging.getLogger(__name__)
PASSWORD_VARIABLE = "SYNAPSE_SQL_PASSWORD"  # noqa: S105 # a name
DATABASE_SCOPE = "https://database.windows.net/.default"
DEADLOCK = 1205
TIMEOUT = -2
"""The number of a login or a query that took too long, as Microsoft's clients give it."""
NO_CONNECTION = 53
"""The number of a connection that could not be made, as Microsoft's clients give it."""
FIREWALL = 40615
"""The number of a client's address that the workspace's firewall does not let through."""
#: The pool is paused, or warms up, or its gateway asks to try again, does not answer or drops the
#: connection: connecting again helps.
#: https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-connectivity-issues
RETRIED_AT_LOGIN = frozenset({42108, 42109, 40613, TIMEOUT, NO_CONNECTION})
LONGEST_PAUSE = 30.0

#: Errors of Windows sockets, by which the driver names those of every system.
_SOCKET_ERRORS = (*range(10_035, 10_066), *range(11_001, 11_005))
#: What people can do about an error, by its number.
REMEDIES = {
    18456: "Make the identity a user of the pool: CREATE USER [its name] FROM EXTERNAL PROVIDER",
    229: "Give the user of the pool its rights, as docs/azure.md lists them: GRANT EXECUTE TO [its "
    "name] on the database for PREDICT, and INSERT, SELECT and ALTER on the schema",
    42108: "Resume it: az synapse sql pool resume --name POOL --workspace-name WS -g GROUP",
    42109: "It is being resumed: try again in a few minutes",
    40613: "Its gateway asks to try again: try again in a few minutes",
    FIREWALL: "Let the address that the message names through the workspace's firewall: az synapse "
    "workspace firewall-rule create --name NAME --workspace-name WS -g GROUP "
    "--start-ip-address ADDRESS --end-ip-address ADDRESS",
    NO_CONNECTION: "Check the server's name, the network and the workspace's firewall rules",
}

_ACCESS_TOKEN = 1256  # SQL_COPT_SS_ACCESS_TOKEN
_DATETIMEOFFSET = -155  # SQL_SS_TIMESTAMPOFFSET
_NUMBER = re.compile(r"\((-?\d+)\) \(SQL\w+\)")
_PREFIX = re.compile(r"^(?:\s*\[[^\]]*\])+")
_TRANSACTION = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK)\s+TRAN(?:SACTION)?\b", re.IGNORECASE)
_ATOMIC = ("Query", "Insert", "Update", "Delete")
_INTEGERS = {3: "tinyint", 5: "smallint", 10: "int", 19: "bigint"}
_TYPES: dict[type, str] = {
    bool: "bit",
    str: "nvarchar",
    bytes: "varbinary",
    bytearray: "varbinary",
    datetime.date: "date",
    datetime.time: "time",
}


class SynapseSqlPool(dg.ConfigurableResource):
    """A dedicated SQL pool in Azure; an adapter of `resources.sql_pool.port.SqlPool`.

    It logs in with an Entra access token of `resources.azure.credentials`, or with user and
    password. A session is one connection. The driver does not tell character types apart, so a
    text column is called nvarchar; a money column is called decimal(19,4).
    """

    server: str = Field(description="Host of the pool, such as WORKSPACE.sql.azuresynapse.net.")
    database: str = Field(description="The dedicated SQL pool's name.")
    port: int = Field(default=1433, ge=1, le=65_535)
    driver: str = Field(
        default="ODBC Driver 18 for SQL Server",
        description="The ODBC driver's name, or the path of its shared object.",
    )
    authentication: str = Field(
        default="entra", pattern="^(entra|password)$", description="'entra' or 'password'."
    )
    user: str = Field(default="", description="Only for password authentication.")
    password: str = Field(
        default="",
        description=f"Only for password authentication. Empty: what {PASSWORD_VARIABLE} holds.",
    )
    certificate_host: str = Field(
        default="",
        description="The host that the server's certificate is for; empty: `server`. It differs "
        "behind a private endpoint or a tunnel.",
    )
    trust_server_certificate: bool = Field(
        default=False, description="Accept any certificate: for a test server only."
    )
    login_seconds: int = Field(default=60, ge=1, description="How long one login may take.")
    query_seconds: int = Field(default=3_600, ge=0, description="How long a batch may take; 0: any")
    attempts: int = Field(
        default=6,
        ge=1,
        description="Attempts to log in to a pool that is paused, warms up or does not answer.",
    )
    pause_seconds: float = Field(
        default=2.0, ge=0, description="Pause before the second attempt; it doubles each time."
    )

    @contextlib.contextmanager
    def session(self) -> Iterator[SynapseSession]:
        """Open a session; leaving it rolls back what was not committed.

        Raises SqlError as the server numbers it: 18456 for a refused login, 42108 for a pool that
        stayed paused over all attempts.
        """
        connection = self._connected()
        try:
            yield SynapseSession(connection, self._retrying)
        finally:
            with contextlib.suppress(Exception):  # a broken connection has nothing to roll back
                connection.close()

    def _connected(self) -> pyodbc.Connection:
        """A connection with autocommit: transactions are T-SQL of the batches."""
        return self._retrying(self._connect, RETRIED_AT_LOGIN)

    def _retrying(self, work: Callable[[], Any], numbers: frozenset[int]) -> Any:
        pause = self.pause_seconds
        for attempt in range(1, self.attempts + 1):
            try:
                return work()
            except SqlError as error:
                if error.number not in numbers or attempt == self.attempts:
                    raise
                _log.warning(
                    "The SQL pool answered with error %s; attempt %s of %s follows in %.1f s",
                    error.number,
                    attempt + 1,
                    self.attempts,
                    pause,
                )
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        raise AssertionError("there is at least one attempt")

    def _connect(self) -> pyodbc.Connection:
        import pyodbc

        pyodbc.pooling = False  # a pooled connection would keep a session's temporary tables
        attributes = {} if self.authentication == "password" else {_ACCESS_TOKEN: _token()}
        try:
            connection = pyodbc.connect(
                self._connection_string(),
                autocommit=True,
                timeout=self.login_seconds,
                attrs_before=attributes,
            )
        except pyodbc.Error as error:
            raise _login_error(error) from None  # its text may hold the connection string
        connection.timeout = self.query_seconds
        connection.add_output_converter(_DATETIMEOFFSET, _with_offset)
        return connection

    def _connection_string(self) -> str:
        parts = {
            "DRIVER": self.driver,
            "SERVER": f"tcp:{self.server},{self.port}",
            "DATABASE": self.database,
            "Encrypt": "yes",
            "TrustServerCertificate": "yes" if self.trust_server_certificate else "no",
            # A dedicated pool has no text, ntext and image, as which long values went otherwise.
            "LongAsMax": "yes",
        }
        if self.certificate_host:
            parts["HostNameInCertificate"] = self.certificate_host
        if self.authentication == "password":
            password = self.password or os.environ.get(PASSWORD_VARIABLE, "")
            parts |= {"UID": self.user, "PWD": password}
        return ";".join(f"{name}={_quoted(value)}" for name, value in parts.items())


def _quoted(value: str) -> str:
    return value if value in ("yes", "no") else "{" + value.replace("}", "}}") + "}"


def _token() -> bytes:
    """The access token as the driver takes it: its length, then UTF-16."""
    token = azure_credential().get_token(DATABASE_SCOPE).token.encode("utf-16-le")
    return struct.pack("<I", len(token)) + token


class SynapseSession:
    """One connection to the pool; see `resources.sql_pool.port.Session`."""

    def __init__(
        self,
        connection: pyodbc.Connection,
        retrying: Callable[[Callable[[], Any], frozenset[int]], Any],
    ) -> None:
        self._connection = connection
        self._retrying = retrying
        self._in_transaction = False
        self._messages: list[str] = []

    @property
    def messages(self) -> list[str]:
        """The texts of PRINT and other messages of the server that are no errors, in order."""
        return self._messages

    def run(self, batch: str, parameters: Sequence[object] = ()) -> list[ResultSet]:
        """Run one batch and return its result sets; `parameters` fill its ? marks.

        A single statement outside of a transaction is tried again when it was the victim of a
        deadlock. Raises SqlError with the server's number, or -2 for a timeout; an error rolls
        back an open transaction.
        """
        again = frozenset() if self._in_transaction else _retried(batch)
        results: list[ResultSet] = self._retrying(lambda: self._run(batch, parameters), again)
        action = _TRANSACTION.match(batch)
        if action:
            self._in_transaction = action[1].upper() == "BEGIN"
        return results

    def _run(self, batch: str, parameters: Sequence[object]) -> list[ResultSet]:
        import pyodbc

        results: list[ResultSet] = []
        cursor = self._connection.cursor()
        try:
            cursor.execute(batch, *parameters)
            while True:
                self._messages += [_PREFIX.sub("", text) for _, text in cursor.messages or ()]
                if cursor.description is not None:
                    columns = tuple(_column(entry) for entry in cursor.description)
                    results.append(ResultSet(columns, [tuple(row) for row in cursor.fetchall()]))
                if not cursor.nextset():
                    return results
        except pyodbc.Error as error:
            self._in_transaction = False
            with contextlib.suppress(pyodbc.Error):
                cursor.execute("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
            raise sql_error(error) from error
        finally:
            with contextlib.suppress(pyodbc.Error):
                cursor.close()


def _retried(batch: str) -> frozenset[int]:
    """Errors after which this batch may run again: a deadlock, for one statement alone.

    A deadlock undoes the statement that it hits; earlier ones of the same batch were committed.
    """
    try:
        kinds = statement_kinds(batch)
    except SqlError:  # the pool may know more than the embedded one
        return frozenset()
    return frozenset({DEADLOCK} if len(kinds) == 1 and kinds[0] in _ATOMIC else ())


def _column(entry: tuple[Any, ...]) -> ResultColumn:
    """A column of a cursor's description: name, Python type, ..., precision, scale."""
    name, python_type, _, _, precision, scale = entry[:6]
    if python_type is int:
        sql_type = _INTEGERS.get(precision, "bigint")
    elif python_type is float:
        sql_type = "real" if precision in (7, 24) else "float"
    elif python_type is decimal.Decimal:
        sql_type = f"decimal({precision},{scale})"
    elif python_type is datetime.datetime:
        moments = {(23, 3): "datetime", (16, 0): "smalldatetime"}
        sql_type = moments.get((precision, scale), "datetime2")
    else:
        sql_type = _TYPES.get(python_type, "nvarchar")
    return ResultColumn(name, sql_type)


def _login_error(error: pyodbc.Error) -> SqlError:
    """An error of a login; a connection that was not made, or was lost, is NO_CONNECTION.

    The driver gives it a class 08 state, and a number of its own or of the socket, which are none
    of the server's. A certificate that is not accepted comes the same way, and no further attempt
    helps it.
    """
    login_error = sql_error(error)
    own = abs(login_error.number) < 1_000 or login_error.number in _SOCKET_ERRORS
    lost = error.args and str(error.args[0]).startswith("08") and own
    if not lost or re.search("certificate|SSL Provider", login_error.message, re.IGNORECASE):
        return login_error
    return SqlError(NO_CONNECTION, f"{login_error.message} {REMEDIES[NO_CONNECTION]}.")


def _with_offset(raw: bytes) -> datetime.datetime:
    """A datetimeoffset value as the driver hands it over."""
    *moment, nanoseconds, hours, minutes = struct.unpack("<6hI2h", raw)
    zone = datetime.timezone(datetime.timedelta(hours=hours, minutes=minutes))
    year, month, day, hour, minute, second = moment
    return datetime.datetime(
        year, month, day, hour, minute, second, nanoseconds // 1000, tzinfo=zone
    )


def sql_error(error: pyodbc.Error) -> SqlError:
    """The driver's error with the server's number; 0 where the server gave none."""
    state = str(error.args[0]) if error.args else ""
    text = str(error.args[1] if len(error.args) > 1 else error)
    match = _NUMBER.search(text)
    number = int(match[1]) if match else 0
    message = _PREFIX.sub("", text[: match.start()] if match else text).strip()
    if state == "HYT00" and number == 0:
        number = TIMEOUT
    message = message or "The ODBC driver gave no message."
    remedy = REMEDIES.get(number)
    return SqlError(number, f"{message} {remedy}." if remedy else message)
