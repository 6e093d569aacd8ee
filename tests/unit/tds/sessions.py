"""Valid TDS sessions as packets, to be mutated, and raw sockets to send them."""

import contextlib
import socket
import struct

from bikecast.embedded.sql_pool.tds.packets import HEADER, Kind
from tests.tds_server import PASSWORD, USER

HEADERS = struct.pack("<IIHQI", 22, 18, 2, 0, 1)


def packet(kind, content, status=1):
    return HEADER.pack(kind, status, HEADER.size + len(content), 0, 1, 0) + content


def text(value):
    return value.encode("utf-16-le")


def prelogin(encryption=2):
    options = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 255)
    return packet(Kind.PRELOGIN, options + b"\x12" + b"\0" * 5 + bytes([encryption]))


def login(user=USER, password=PASSWORD, database="pool"):
    scrambled = bytes((((byte & 0x0F) << 4) | (byte >> 4)) ^ 0xA5 for byte in text(password))
    fields = [b"", text(user), scrambled, b"", b"", b"", b"", b"", text(database)]
    fixed = struct.pack("<6I4BiI", 0, 0x74000004, 4096, 7, 1, 0, 0, 0, 0, 0, 0, 0x409)
    offset, table, data = 94, b"", b""
    for field in fields:
        table += struct.pack("<HH", offset + len(data), len(field) // 2)
        data += field
    table += b"\0" * 6 + struct.pack("<HHHHHHI", offset + len(data), 0, 0, 0, 0, 0, 0)
    body = (fixed + table)[:94].ljust(94, b"\0") + data
    return packet(Kind.LOGIN, struct.pack("<I", len(body)) + body[4:])


def batch(sql, size=4000):
    """A batch in as many packets as it needs."""
    content = HEADERS + text(sql)
    starts = range(0, len(content), size)
    return b"".join(
        packet(Kind.SQL_BATCH, content[start : start + size], int(start == starts[-1]))
        for start in starts
    )


def nvarchar(value, name=""):
    data = text(value)
    kind = struct.pack("<BH", 0xE7, 8000) + bytes.fromhex("0904d00034")
    return bytes([len(name)]) + text(name) + b"\0" + kind + struct.pack("<H", len(data)) + data


def integer(value, name="", output=False):
    head = bytes([len(name)]) + text(name) + bytes([output])
    return head + b"\x26\x04\x04" + struct.pack("<i", value)


def call(number, *parameters):
    return packet(Kind.RPC, HEADERS + struct.pack("<HHH", 0xFFFF, number, 0) + b"".join(parameters))


def named_call(name, *parameters):
    head = struct.pack("<H", len(name)) + text(name) + struct.pack("<H", 0)
    return packet(Kind.RPC, HEADERS + head + b"".join(parameters))


def transaction(kind):
    length = 4 if kind == 5 else 5
    return packet(Kind.TRANSACTION, HEADERS + struct.pack("<H3B", kind, 0, 0, 0)[:length])


REQUESTS = [
    batch("SELECT 1 AS a, N'x' AS b"),
    batch("DECLARE @i int = 3; SELECT @i * 2 AS c; PRINT 'done'"),
    call(10, nvarchar("SELECT @p AS x"), nvarchar("@p int"), integer(5, "@p")),
    call(13, integer(0, output=True), nvarchar("@p int"), nvarchar("SELECT @p AS x"), integer(7)),
    call(11, integer(0, output=True), nvarchar("@p int"), nvarchar("SELECT @p AS x"), integer(1)),
    call(12, integer(1), integer(8)),
    call(15, integer(1)),
    transaction(5),
    transaction(7),
    transaction(5),
    transaction(8),
    packet(Kind.ATTENTION, b""),
]


@contextlib.contextmanager
def raw(port, seconds=20.0):
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as client:
        yield client


def answer(client):
    """The content of one answer, or None where the server closed the connection."""
    content = b""
    while True:
        header = _exactly(client, HEADER.size)
        if header is None:
            return None
        _, status, length, _, _, _ = HEADER.unpack(header)
        part = _exactly(client, length - HEADER.size)
        if part is None:
            return None
        content += part
        if status & 1:
            return content


def _exactly(client, count):
    data = b""
    while len(data) < count:
        try:
            part = client.recv(count - len(data))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return data


def log_in(client, database="pool"):
    client.sendall(prelogin())
    assert answer(client) is not None
    client.sendall(login(database=database))
    assert b"\xad" in answer(client)


def works(server):
    with raw(server.port) as client:
        log_in(client)
        client.sendall(batch("SELECT 1 AS a"))
        return b"\xd1\x04\x01\x00\x00\x00" in answer(client)
