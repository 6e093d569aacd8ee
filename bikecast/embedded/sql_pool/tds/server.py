"""The listener: one thread a connection."""

from __future__ import annotations

import collections
import contextlib
import logging
import socket
import ssl
import threading
import time

from bikecast.core.errors import BikecastError
from bikecast.embedded.sql_pool.pool import Pool
from bikecast.embedded.sql_pool.tds.credentials import Credentials, FailedLogins
from bikecast.embedded.sql_pool.tds.session import Connection
from bikecast.embedded.sql_pool.tds.transport import Transport

_log = logging.getLogger(__name__)
MAX_CONNECTIONS = 64
CLOSE_SECONDS = 3.0


class SqlServer:
    """A TDS endpoint in front of a pool; `port` is the real one once it is started.

    `context` makes TLS compulsory for every client. Port 0 takes a free one. Leaving it as a
    context manager closes it.
    """

    def __init__(
        self,
        pool: Pool,
        host: str,
        port: int,
        credentials: Credentials,
        context: ssl.SSLContext | None,
    ) -> None:
        self.host = host
        self.port = port
        self._pool = pool
        self._credentials = credentials
        self._context = context
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._open: dict[Connection, socket.socket] = {}
        self._threads: set[threading.Thread] = set()
        self._accepting: threading.Thread | None = None
        self._stopping = threading.Event()
        self._failed_logins = FailedLogins()

    def start(self) -> None:
        """Listen, and serve in threads.

        Raises BikecastError where the address is taken or not allowed.
        """
        try:
            listener = socket.create_server((self.host, self.port), backlog=64)
        except OSError as error:
            raise BikecastError(
                f"The SQL server cannot listen on {self.host}:{self.port}: {error.strerror}. "
                "Nothing was started; stop what has the port or choose another one by --port."
            ) from error
        self.port = listener.getsockname()[1]
        listener.settimeout(0.5)
        self._listener = listener
        self._accepting = threading.Thread(target=self._accept, name="tds-listener", daemon=True)
        self._accepting.start()

    def wait(self) -> None:
        """Block until the server is closed from elsewhere, or by Ctrl-C."""
        while not self._stopping.wait(0.5):
            pass

    def close(self) -> bool:
        """Stop listening, end running batches and all connections.

        Returns False where one did not end within CLOSE_SECONDS; ending the process undoes what it
        has not committed.
        """
        self._stopping.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):  # wakes `accept` where the system does that
                self._listener.shutdown(socket.SHUT_RDWR)
        if self._accepting is not None:
            self._accepting.join()
        if self._listener is not None:
            self._listener.close()
        with self._lock:
            open_now, threads = dict(self._open), set(self._threads)
        for client in open_now.values():
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        ends = time.monotonic() + CLOSE_SECONDS
        while threads and time.monotonic() < ends:
            for connection in open_now:
                connection.stop()  # again and again: a cancel reaches what runs at that moment
            next(iter(threads)).join(timeout=0.05)
            threads = {thread for thread in threads if thread.is_alive()}
        return not threads

    def __enter__(self) -> SqlServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        assert self._listener is not None  # noqa: S101 # start made it
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                if self._stopping.wait(0.1):  # out of descriptors, say: try again
                    return
                continue
            client.settimeout(None)
            self._admit(client)

    def _admit(self, client: socket.socket) -> None:
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS and not self._make_room():
                _log.warning("More than %s connections; one was turned away", MAX_CONNECTIONS)
                client.close()
                return
            connection = Connection(
                Transport(client),
                self._pool,
                self._credentials,
                self._context,
                self._failed_logins,
            )
            thread = threading.Thread(
                target=self._serve, args=(connection,), name="tds-connection", daemon=True
            )
            self._open[connection] = client
            self._threads.add(thread)
        thread.start()

    def _make_room(self) -> bool:
        """End the oldest connection that has not logged in, of the address with most of them."""
        unknown = [each for each in self._open if not each.is_logged_in]
        # Those who left in this way may still wait for the refusal of a login.
        if not unknown or len(self._threads) >= 4 * MAX_CONNECTIONS:
            return False
        counts = collections.Counter(each.address for each in unknown)
        leaving = max(unknown, key=lambda each: counts[each.address])  # of several the first
        with contextlib.suppress(OSError):
            self._open.pop(leaving).shutdown(socket.SHUT_RDWR)
        return True

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                self._open.pop(connection, None)
                self._threads.discard(threading.current_thread())
