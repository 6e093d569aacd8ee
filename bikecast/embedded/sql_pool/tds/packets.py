"""Messages, the packets that carry them, and fields of bytes.

A packet: type, status, length (big endian, with these 8 bytes), SPID, number, window. Source:
[MS-TDS] 2.2.3
"""

from __future__ import annotations

import ssl
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from bikecast.embedded.sql_pool.tds.transport import Transport

HEADER = struct.Struct(">BBHHBB")
LAST = 0x01
RESET = 0x08
RESET_KEEP_TRANSACTION = 0x10
DEFAULT_SIZE = 4096
LARGEST_SIZE = 32_767
#: A packet that has begun arrives within this time, or the connection ends.
PACKET_SECONDS = 60.0
#: The longest message before login, and after it.
LOGIN_BYTES = 128 * 1024
MESSAGE_BYTES = 256 * 1024 * 1024


class Kind(IntEnum):
    """Types of the messages that this endpoint knows."""

    SQL_BATCH = 0x01
    RPC = 0x03
    RESPONSE = 0x04
    ATTENTION = 0x06
    BULK_LOAD = 0x07
    TRANSACTION = 0x0E
    LOGIN = 0x10
    PRELOGIN = 0x12


@dataclass(frozen=True)
class Message:
    """A whole message; `status` is that of its first packet and of its last together."""

    kind: int
    status: int
    data: bytes


class Packets:
    """Reads and writes messages on a transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.size = DEFAULT_SIZE
        self.max_bytes = LOGIN_BYTES
        self._deadline: float | None = None

    def after_login(self, size: int) -> None:
        """Take the packet size of the login, and long messages from now on."""
        self.size = size
        self.max_bytes = MESSAGE_BYTES
        self._deadline = None

    def limit(self, seconds: float) -> None:
        """Let everything up to the end of the login arrive within `seconds`."""
        self._deadline = self.transport.deadline = time.monotonic() + seconds

    def packet(self) -> tuple[int, int, bytes]:
        """The next packet: type, status, content.

        Raises ProtocolError for a bad length, Disconnected at the end.
        """
        if self._deadline is None:
            self.transport.wait(None)
            self.transport.deadline = time.monotonic() + PACKET_SECONDS
        else:
            self.transport.deadline = self._deadline
        kind, status, length, _, _, _ = HEADER.unpack(self.transport.read(HEADER.size))
        if not HEADER.size <= length <= LARGEST_SIZE:
            raise ProtocolError(f"A packet of {length} bytes.")
        return kind, status, self.transport.read(length - HEADER.size)

    def message(self) -> Message:
        """The next message.

        Raises ProtocolError where its packets differ in type or are too many.
        """
        kind, status, content = self.packet()
        parts, length, all_status = [content], len(content), status
        while not status & LAST:
            next_kind, status, content = self.packet()
            if next_kind == Kind.ATTENTION:
                return Message(next_kind, status, content)  # the client gave the message up
            if next_kind != kind:
                raise ProtocolError(f"A packet of type {next_kind} inside of type {kind}.")
            if not content:
                raise ProtocolError("An empty packet inside of a message.")
            parts.append(content)
            length += len(content)
            all_status |= status
            if length > self.max_bytes:
                raise ProtocolError(f"A message of more than {self.max_bytes} bytes.")
        return Message(kind, all_status, b"".join(parts))

    def write(self, chunks: Iterable[bytes], kind: Kind = Kind.RESPONSE) -> None:
        """Send one message whose content comes in pieces of any length."""
        room = self.size - HEADER.size
        number = 1
        rest = b""
        for chunk in chunks:
            rest = rest + chunk if rest else chunk
            if len(rest) <= room:
                continue
            packets = []
            start = 0
            while len(rest) - start > room:
                header = HEADER.pack(kind, 0, self.size, 0, number & 0xFF, 0)
                packets += [header, rest[start : start + room]]
                start += room
                number += 1
            self.transport.write(b"".join(packets))
            rest = rest[start:]
        header = HEADER.pack(kind, LAST, HEADER.size + len(rest), 0, number & 0xFF, 0)
        self.transport.write(header + rest)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake inside of PRELOGIN packets."""

        def read_record() -> bytes:
            kind, _, content = self.packet()
            if kind != Kind.PRELOGIN:
                raise ProtocolError(f"A packet of type {kind} inside of the TLS handshake.")
            return content

        def write_record(data: bytes) -> None:
            self.write([data], Kind.PRELOGIN)

        self.transport.start_tls(context, read_record, write_record)


class ProtocolError(Exception):
    """The client broke the protocol: the connection ends after an error message."""


class Fields:
    """A cursor over a message. Every read is checked against the message's end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    @property
    def remaining(self) -> int:
        """Bytes that were not read yet."""
        return len(self.data) - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count < 0 or count > self.remaining:
            raise ProtocolError(f"{count} bytes expected, {self.remaining} left in the message.")
        start = self.position
        self.position += count
        return self.data[start : self.position]

    def u8(self) -> int:
        """An unsigned byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Two bytes, little endian, unsigned."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Four bytes, little endian, unsigned."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """Eight bytes, little endian, unsigned."""
        return int.from_bytes(self.take(8), "little")

    def characters(self, count: int) -> str:
        """Text of `count` UTF-16 code units."""
        return decode_utf16(self.take(count * 2))

    def b_varchar(self) -> str:
        """Text behind a length of one byte."""
        return self.characters(self.u8())


def decode_utf16(data: bytes) -> str:
    """UTF-16, little endian; a lone surrogate stands as U+FFFD.

    Raises ProtocolError for an odd number of bytes.
    """
    if len(data) % 2:
        raise ProtocolError("Text of an odd number of bytes.")
    return data.decode("utf-16-le", "replace")


def b_varchar(text: str) -> bytes:
    """Text behind a length of one byte; longer text is cut."""
    data = text.encode("utf-16-le", "replace")[:510]
    return bytes([len(data) // 2]) + data


def us_varchar(text: str) -> bytes:
    """Text behind a length of two bytes; longer text is cut."""
    data = text.encode("utf-16-le", "replace")[:8000]
    return struct.pack("<H", len(data) // 2) + data
