"""Bytes of one connection, plain or through TLS.

TDS 7.4 carries the TLS handshake inside of PRELOGIN packets and the rest plainly as TLS records;
TDS 8.0 starts with TLS at once. Both go through one ssl.MemoryBIO pair.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable

_READ_SIZE = 65_536
#: A client that sends nothing during a handshake or login is sent away after this many seconds:
#: enough for an honest one on a busy machine. It gives its place away as soon as others need it.
HANDSHAKE_SECONDS = 30.0


class Disconnected(ConnectionError):
    """The peer is gone."""


class Transport:
    """A socket, and the TLS layer once it was started. Used by one thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            self.address = str(connection.getpeername()[0])
        except OSError:  # it has gone already
            self.address = ""
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._buffer = b""
        self.deadline: float | None = None
        """Reading fails after this moment of time.monotonic()."""

    def wait(self, seconds: float | None) -> bool:
        """Whether bytes, or the end, can be read within `seconds` (None: for ever)."""
        if self._buffer or self._incoming.pending or (self._tls and self._tls.pending()):
            return True
        return bool(select.select([self._socket], [], [], seconds)[0])

    def peek_is_tls(self) -> bool:
        """Whether the client starts with a TLS record (TDS 8.0)."""
        self._wait_readable()
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b"\x16"
        except OSError as error:
            raise Disconnected from error

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes.

        Raises Disconnected at the end of the stream and behind the deadline.
        """
        while len(self._buffer) < count:
            self._buffer += self._receive()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        if self._tls is None:
            self._send(data)
            return
        for start in range(0, len(data), _READ_SIZE):
            try:
                self._tls.write(data[start : start + _READ_SIZE])
            except ssl.SSLError as error:
                raise Disconnected from error
            self._send(self._outgoing.read())

    def start_tls(
        self,
        context: ssl.SSLContext,
        read_record: Callable[[], bytes],
        write_record: Callable[[bytes], None],
    ) -> None:
        """Do the handshake as server; the functions carry its bytes.

        Raises Disconnected where it fails.
        """
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(write_record)
                self._incoming.write(read_record())
                continue
            except ssl.SSLError as error:
                self._flush(write_record)  # the alert tells the client why
                raise Disconnected from error
            self._flush(write_record)
            self._tls = tls
            return

    def start_plain_tls(self, context: ssl.SSLContext) -> None:
        """Do the handshake of TDS 8.0, which nothing wraps."""
        self.start_tls(context, self._receive_raw, self._send)

    def close(self) -> None:
        """Close the socket; the TLS layer says goodbye where it can."""
        try:
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
                self._send(self._outgoing.read())
            self._socket.shutdown(socket.SHUT_WR)
        except (OSError, Disconnected):
            pass
        self._socket.close()

    def _flush(self, write_record: Callable[[bytes], None]) -> None:
        data = self._outgoing.read()
        if data:
            write_record(data)

    def _receive(self) -> bytes:
        if self._tls is None:
            return self._receive_raw()
        while True:
            try:
                data = self._tls.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                self._incoming.write(self._receive_raw())
                continue
            except ssl.SSLError as error:
                raise Disconnected from error
            if not data:
                raise Disconnected
            return data

    def _wait_readable(self) -> None:
        if self.deadline is None:
            return
        left = self.deadline - time.monotonic()
        try:
            is_ready = left > 0 and bool(select.select([self._socket], [], [], left)[0])
        except (OSError, ValueError) as error:  # closed to make room for another one
            raise Disconnected from error
        if not is_ready:
            raise Disconnected

    def _receive_raw(self) -> bytes:
        self._wait_readable()
        try:
            data = self._socket.recv(_READ_SIZE)
        except OSError as error:
            raise Disconnected from error
        if not data:
            raise Disconnected
        return data

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Disconnected from error
