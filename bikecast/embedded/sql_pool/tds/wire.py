"""Reading and writing of a message's fields; a short or false message raises ProtocolError."""

from __future__ import annotations

import struct


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
