"""PRELOGIN and LOGIN7: what a client says before it may ask, and how it is answered.

Source: [MS-TDS] 2.2.6.4, 2.2.6.5
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from bikecast.embedded.sql_pool.tds.packets import (
    DEFAULT_SIZE,
    LARGEST_SIZE,
    Fields,
    ProtocolError,
    decode_utf16,
)

VERSION, ENCRYPTION, INSTANCE, THREAD_ID, MARS, TRACE_ID, FEDERATED, NONCE = range(8)
TERMINATOR = 0xFF
ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_NOT_SUPPORTED, ENCRYPT_REQUIRED = range(4)
TDS_7_3, TDS_7_4, TDS_8_0 = 0x730A0003, 0x74000004, 0x08000000
SERVER_VERSION = (12, 0, 2000)

FEATURE_FEDERATED = 0x02
FEATURE_UTF8 = 0x0A
_SECURITY_TOKEN = 0x01
_LOGIN_FIXED = 94


@dataclass(frozen=True)
class Prelogin:
    """A client's PRELOGIN: its encryption setting, and whether it speaks of federated login."""

    encryption: int = ENCRYPT_NOT_SUPPORTED
    federated: bool = False


def parse_prelogin(data: bytes) -> Prelogin:
    """Read the options of a PRELOGIN message.

    Raises ProtocolError for an option outside of the message.
    """
    fields = Fields(data)
    options: dict[int, bytes] = {}
    while (token := fields.u8()) != TERMINATOR:
        offset, length = struct.unpack(">HH", fields.take(4))
        if offset + length > len(data) or token in options:
            raise ProtocolError("A PRELOGIN option outside of its message, or given twice.")
        options[token] = data[offset : offset + length]
    encryption = options.get(ENCRYPTION, b"\x02")
    if len(encryption) != 1:
        raise ProtocolError("A PRELOGIN without an encryption setting.")
    return Prelogin(encryption[0], FEDERATED in options)


def prelogin_answer(client: Prelogin, encryption: int) -> bytes:
    """The server's PRELOGIN."""
    major, minor, build = SERVER_VERSION
    options = [
        (VERSION, struct.pack(">BBHH", major, minor, build, 0)),
        (ENCRYPTION, bytes([encryption])),
        (INSTANCE, b"\x00"),
        (MARS, b"\x00"),
    ]
    if client.federated:
        options.append((FEDERATED, b"\x01"))
    head, body = b"", b""
    offset = 5 * len(options) + 1
    for token, value in options:
        head += struct.pack(">BHH", token, offset + len(body), len(value))
        body += value
    return head + bytes([TERMINATOR]) + body


@dataclass(frozen=True)
class Login:
    """A LOGIN7 message; `token` is an Entra access token. Neither secret is shown by repr."""

    tds_version: int
    packet_size: int
    user: str
    database: str
    password: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    integrated: bool = False
    features: frozenset[int] = frozenset()


def parse_login(data: bytes) -> Login:
    """Read a LOGIN7 message.

    Raises ProtocolError for one that is malformed or of a version before TDS 7.3.
    """
    if len(data) < _LOGIN_FIXED:
        raise ProtocolError("A short LOGIN7 message.")
    length, version, packet_size = struct.unpack_from("<III", data, 0)
    if length != len(data):
        raise ProtocolError(f"A LOGIN7 message of {len(data)} bytes that claims {length}.")
    if version not in (TDS_8_0,) and not TDS_7_3 <= version <= TDS_7_4:
        raise ProtocolError(f"TDS version {version:#010x} is not supported; use 7.3, 7.4 or 8.0.")
    flags2, flags3 = data[25], data[27]

    def text(at: int) -> str:
        return decode_utf16(_variable(data, at, 2))

    password = bytes(
        ((byte ^ 0xA5) >> 4) | (((byte ^ 0xA5) & 0x0F) << 4) for byte in _variable(data, 44, 2)
    )
    features = _features(data) if flags3 & 0x10 else {}
    federated = features.get(FEATURE_FEDERATED)
    return Login(
        tds_version=version,
        packet_size=min(max(packet_size or DEFAULT_SIZE, 512), LARGEST_SIZE),
        user=text(40),
        password=decode_utf16(password),
        database=text(68),
        token=None if federated is None else _token(federated),
        integrated=bool(flags2 & 0x80),
        features=frozenset(features),
    )


def _variable(data: bytes, at: int, unit: int) -> bytes:
    offset, length = struct.unpack_from("<HH", data, at)
    end = offset + length * unit
    if length and (offset < _LOGIN_FIXED - 8 or end > len(data)):
        raise ProtocolError("A LOGIN7 field outside of its message.")
    return data[offset:end] if length else b""


def _features(data: bytes) -> dict[int, bytes]:
    pointer = Fields(_variable(data, 56, 1)).u32()
    if pointer >= len(data):
        raise ProtocolError("LOGIN7 features outside of the message.")
    fields = Fields(data)
    fields.position = pointer
    features: dict[int, bytes] = {}
    while (feature := fields.u8()) != TERMINATOR:
        features[feature] = fields.take(fields.u32())
    return features


def _token(data: bytes) -> str:
    """The access token of a federated login; only the library 'security token' carries one."""
    fields = Fields(data)
    if fields.u8() >> 1 != _SECURITY_TOKEN:
        raise ProtocolError(
            "Only access tokens that the client fetched itself are supported, "
            "not a login dialog of the server."
        )
    return decode_utf16(fields.take(fields.u32()))
