"""One connection: login, then requests until it ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import logging
import re
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from bikecast.core.sql import ResultSet, SqlError
from bikecast.embedded.sql_pool.internal import INTERNAL_ERROR
from bikecast.embedded.sql_pool.pool import Pool
from bikecast.embedded.sql_pool.tds import login as logins
from bikecast.embedded.sql_pool.tds import tokens
from bikecast.embedded.sql_pool.tds.columns import result_tokens
from bikecast.embedded.sql_pool.tds.credentials import Credentials, FailedLogins
from bikecast.embedded.sql_pool.tds.packets import (
    RESET,
    RESET_KEEP_TRANSACTION,
    Fields,
    Kind,
    Message,
    Packets,
    ProtocolError,
    decode_utf16,
)
from bikecast.embedded.sql_pool.tds.pool_session import Answer, PoolSession
from bikecast.embedded.sql_pool.tds.procedures import Procedures
from bikecast.embedded.sql_pool.tds.rpc import Call, read_calls, skip_headers
from bikecast.embedded.sql_pool.tds.transport import HANDSHAKE_SECONDS, Disconnected, Transport

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
#: The pool's file is given back after so many seconds without a request.
LINGER_SECONDS = 1.0
_POLL_SECONDS = 0.05
_IMPLICIT = re.compile(r"\s*set\s+implicit_transactions\s+(on|off)\s*;?\s*", re.IGNORECASE)
_ACTIONS = {5: "BEGIN", 7: "COMMIT", 8: "ROLLBACK"}


class Connection:
    """Serves one client until it leaves, breaks the protocol or the server stops."""

    def __init__(
        self,
        transport: Transport,
        pool: Pool,
        credentials: Credentials,
        context: ssl.SSLContext | None,
        failed_logins: FailedLogins,
    ) -> None:
        self.is_logged_in = False
        self._failed_logins = failed_logins
        self._transport = transport
        self._packets = Packets(transport)
        self._credentials = credentials
        self._context = context
        self._session = PoolSession(pool)
        self._database = pool.database
        self._procedures = Procedures(self._session)
        self._descriptor = 0
        self._rolled_back = False
        self._attention = False
        self._stopping = threading.Event()
        self._worker = concurrent.futures.ThreadPoolExecutor(1, "tds-batch")

    @property
    def address(self) -> str:
        """Of the client."""
        return self._transport.address

    def serve(self) -> None:
        """Talk to the client until the end; never raises."""
        try:
            if self._log_in():
                self._requests()
        except ConnectionError:
            pass
        except ProtocolError as error:
            self._say_goodbye(SqlError(4002, f"The incoming TDS stream is not valid: {error}"))
        except SqlError as error:
            self._say_goodbye(error)
        except Exception:  # noqa: BLE001 # one client's fault must not end the server
            _log.exception("A TDS connection failed")
            self._say_goodbye(SqlError(INTERNAL_ERROR, "An internal error ended the connection."))
        finally:
            self._worker.shutdown()
            self._session.close()
            self._transport.close()

    def stop(self) -> None:
        """End a running batch, from another thread, when the server stops."""
        self._stopping.set()
        self._session.cancel()

    def _say_goodbye(self, error: SqlError) -> None:
        with contextlib.suppress(Disconnected):
            self._packets.write([tokens.error(error), tokens.done(tokens.DONE, tokens.ERROR)])

    # Login

    def _log_in(self) -> bool:
        self._packets.limit(HANDSHAKE_SECONDS)
        strict = self._transport.peek_is_tls()
        if strict:
            if self._context is None:
                return False
            self._transport.start_plain_tls(self._context)
        message = self._packets.message()
        if message.kind == Kind.PRELOGIN:
            if not self._agree(logins.parse_prelogin(message.data), strict):
                return False
            message = self._packets.message()
        elif self._context is not None and not strict:
            raise ProtocolError("This server wants encryption, so PRELOGIN comes first.")
        if message.kind != Kind.LOGIN:
            raise ProtocolError(f"A message of type {message.kind} before login.")
        request = logins.parse_login(message.data)
        if not self._accepts(request):
            self._say_goodbye(SqlError(18456, f"Login failed for user '{request.user[:128]}'."))
            return False
        if request.database.lower() not in ("", self._database.lower()):
            wanted = request.database[:128]
            self._say_goodbye(
                SqlError(
                    4060,
                    f'Cannot open database "{wanted}" requested by the login. The login failed. '
                    f"The database here is {self._database}.",
                )
            )
            return False
        features = {}
        if request.token is not None:
            features[logins.FEATURE_FEDERATED] = b""
        if logins.FEATURE_UTF8 in request.features:
            features[logins.FEATURE_UTF8] = b"\x01"
        size = request.packet_size
        accepted = tokens.login_accepted(request.tds_version, size, self._database)
        if features:
            accepted += tokens.features_accepted(features)
        self.is_logged_in = True  # before the client hears of it, and others may want its place
        self._packets.write([accepted, tokens.done(tokens.DONE, 0)])
        self._packets.after_login(size)
        return True

    def _accepts(self, request: logins.Login) -> bool:
        """Whether the login is right; a wrong one is known after a while only."""
        failed, address = self._failed_logins, self._transport.address
        with failed.turn(address, HANDSHAKE_SECONDS) as has_turn:
            if has_turn and self._credentials.accept(request):
                failed.succeeded(address)
                return True
            self._stopping.wait(failed.failed(address, request.user))
        return False

    def _agree(self, client: logins.Prelogin, strict: bool) -> bool:
        """Answer PRELOGIN and start TLS; False where the two do not agree on it."""
        if self._context is None:
            answer = logins.ENCRYPT_NOT_SUPPORTED
        elif client.encryption == logins.ENCRYPT_ON:
            answer = logins.ENCRYPT_ON
        else:
            answer = logins.ENCRYPT_REQUIRED
        self._packets.write([logins.prelogin_answer(client, answer)])
        if self._context is None or strict:
            return True
        if client.encryption == logins.ENCRYPT_NOT_SUPPORTED:
            return False
        self._packets.start_tls(self._context)
        return True

    # Requests

    def _requests(self) -> None:
        while True:
            while not self._transport.wait(LINGER_SECONDS if self._session.is_open else None):
                self._session.release()
            message = self._packets.message()
            self._attention = message.kind == Kind.ATTENTION
            if not self._attention:
                self._packets.write(self._answer(message, self._reset(message.status)))
            if self._attention:  # in a message of its own, as tedious expects
                self._packets.write([tokens.done(tokens.DONE, tokens.ATTENTION)])

    def _reset(self, status: int) -> bytes:
        if status & RESET or (status & RESET_KEEP_TRANSACTION and not self._session.in_transaction):
            self._session.close()
            self._session.implicit = False
            self._procedures.reset()
            self._descriptor = 0
            return tokens.reset_done()
        return b""

    def _answer(self, message: Message, prefix: bytes) -> Iterator[bytes]:
        if prefix:
            yield prefix
        if message.kind == Kind.SQL_BATCH:
            yield from self._batch(message.data)
        elif message.kind == Kind.RPC:
            yield from self._calls(message.data)
        elif message.kind == Kind.TRANSACTION:
            yield from self._transaction(message.data)
        elif message.kind == Kind.BULK_LOAD:
            raise SqlError(4022, "Bulk load is not supported; use COPY INTO or INSERT.")
        else:
            raise ProtocolError(f"A message of type {message.kind} after login.")

    def _batch(self, data: bytes) -> Iterator[bytes]:
        fields = Fields(data)
        skip_headers(fields)
        text = decode_utf16(fields.take(fields.remaining))
        implicit = _IMPLICIT.fullmatch(text)
        if implicit:
            self._session.implicit = implicit[1].lower() == "on"
            yield tokens.done(tokens.DONE, 0)
            return
        answer, cancelled = self._while_listening(lambda: self._session.run(text, {}))
        if cancelled:
            yield from self._cancelled()
            return
        yield from self._body(answer, tokens.DONE, last=tokens.DONE)

    def _calls(self, data: bytes) -> Iterator[bytes]:
        """Every call up to the first that fails: a failure ended the open transaction."""
        try:
            calls = read_calls(data)
        except SqlError as error:
            yield tokens.error(error)
            yield tokens.done(tokens.DONE_PROCEDURE, tokens.ERROR)
            return
        for number, (answer, cancelled) in enumerate(self._answers(calls), 1):
            if cancelled:
                yield from self._cancelled()
                return
            yield from self._body(answer, tokens.DONE_IN_PROCEDURE)
            if answer.error is not None:
                yield tokens.done(tokens.DONE_PROCEDURE, tokens.ERROR)
                return
            yield tokens.return_status(answer.status)
            for ordinal, name, variable in answer.outputs:
                yield tokens.return_value(ordinal, name, variable)
            yield tokens.done(tokens.DONE_PROCEDURE, tokens.MORE if number < len(calls) else 0)

    def _answers(self, calls: list[Call]) -> Iterator[tuple[Answer, bool]]:
        """The answer to each call, and whether it was cancelled; rows are inserted together."""
        rest = calls
        while rest:
            count = self._procedures.alike(rest)
            group, rest = rest[:count], rest[count:]
            if count > 1:
                insert = functools.partial(self._procedures.insert_rows, group)
                answers, cancelled = self._while_listening(insert)
                for answer in answers or ([Answer()] if cancelled else ()):
                    yield answer, cancelled
                if answers or cancelled:
                    continue
            for call in group:
                yield self._while_listening(functools.partial(self._procedures.run, call))

    def _transaction(self, data: bytes) -> Iterator[bytes]:
        fields = Fields(data)
        skip_headers(fields)
        action = _ACTIONS.get(request := fields.u16())
        if action is None:
            raise SqlError(103010, f"Transaction request {request} is not supported.")
        begin_again = False
        if action == "BEGIN":
            fields.u8()  # isolation level
        fields.take(fields.u8())  # name
        if action != "BEGIN":
            begin_again = bool(fields.u8() & 1)
        answer, _ = self._while_listening(lambda: self._session.transaction(action))
        self._rolled_back = self._rolled_back or action == "ROLLBACK"
        yield from self._transaction_tokens()
        if answer.error is None and begin_again:
            answer, _ = self._while_listening(lambda: self._session.transaction("BEGIN"))
        yield from self._body(answer, tokens.DONE, last=tokens.DONE)

    def _body(self, answer: Answer, token: int, last: int | None = None) -> Iterator[bytes]:
        """Messages, outcomes and the error; the last DONE is of the kind `last`, if given."""
        for message in answer.messages:
            yield tokens.info(message)
        yield from self._transaction_tokens()
        for number, outcome in enumerate(answer.outcomes, 1):
            final = last is not None and number == len(answer.outcomes) and answer.error is None
            status = 0 if final else tokens.MORE
            if isinstance(outcome, ResultSet):
                yield from result_tokens(outcome)
                yield tokens.done(token, status, len(outcome.rows))
            else:
                yield tokens.done(token, status, outcome, changed=True)
        if answer.error is not None:
            yield tokens.error(answer.error)
        if last is not None and (answer.error is not None or not answer.outcomes):
            yield tokens.done(last, tokens.ERROR if answer.error else 0)

    def _transaction_tokens(self) -> Iterator[bytes]:
        """Tell the client when the work that was done began or ended a transaction."""
        if self._session.in_transaction and not self._descriptor:
            self._descriptor = struct.unpack("<Q", struct.pack("<II", id(self) & 0xFFFFFFF, 1))[0]
            yield tokens.transaction_change(tokens.BEGIN, self._descriptor)
        elif not self._session.in_transaction and self._descriptor:
            change = tokens.ROLLBACK if self._rolled_back else tokens.COMMIT
            yield tokens.transaction_change(change, self._descriptor)
            self._descriptor = 0

    def _cancelled(self) -> Iterator[bytes]:
        yield from self._transaction_tokens()
        yield tokens.done(tokens.DONE, tokens.ERROR)

    def _while_listening(self, work: Callable[[], _T]) -> tuple[_T, bool]:
        """Run `work` on the worker; an ATTENTION of the client ends it early."""
        future = self._worker.submit(work)
        cancelled = False
        try:
            while not concurrent.futures.wait([future], _POLL_SECONDS).done:
                if cancelled:
                    self._session.cancel()
                elif self._transport.wait(0):
                    if self._packets.message().kind != Kind.ATTENTION:
                        raise ProtocolError("A request while another one runs.")
                    cancelled = self._attention = True
                    self._session.cancel()
        except (Disconnected, ProtocolError):
            while not concurrent.futures.wait([future], _POLL_SECONDS).done:
                self._session.cancel()
            raise
        result = future.result()
        self._session.resume()
        last = result[-1] if isinstance(result, list) and result else result
        self._rolled_back = isinstance(last, Answer) and last.error is not None
        return result, cancelled
