"""Fuzzed packets end in a result, an error or a closed connection, and the server lives on."""

import collections
import random
import socket
import sys

import psutil
import pytest

from bikecast.embedded.sql_pool.errors import INTERNAL_ERROR
from bikecast.embedded.sql_pool.tds import packets as tds_packets
from bikecast.embedded.sql_pool.tds.packets import HEADER
from tests.tds_server import embedded_pool, sql_server
from tests.unit.tds.packet_fuzz import PacketFuzz
from tests.unit.tds.sessions import answer, log_in, prelogin, raw, works

PACKETS = 20_000
STAGES = ("session", "session", "session", "request", "cancelled", "login", "prelogin", "noise")
#: Packets a connection gets at most; one that is broken often ends it earlier.
LENGTHS = {"session": 40, "cancelled": 20, "request": 12}
_INTERNAL = INTERNAL_ERROR.to_bytes(4, "little")


def reached(found):
    """The layer whose answer this is."""
    if found is None:
        return "closed"
    if b"\x81" in found[:40]:
        return "result"
    return "error" if b"\xaa" in found else "done"


def send(client, data):
    """The answer to a packet, and whether the connection can go on."""
    complete = len(data) >= HEADER.size and int.from_bytes(data[2:4], "big") == len(data)
    complete = complete and data[1] == 1
    try:
        client.sendall(data)
        if not complete:
            client.shutdown(socket.SHUT_WR)
        found = answer(client)
    except TimeoutError:
        raise AssertionError(f"no answer to {data[:200]!r}") from None
    except OSError:  # the server closed it meanwhile
        found = None
    return found, complete and found is not None


def fuzz(server, seed, count):
    """The number of packets by stage and layer, and how the server's memory grew, in bytes."""
    chance, packets = random.Random(seed), PacketFuzz(seed)
    layers, process, memory = collections.Counter(), psutil.Process(), 0
    while layers.total() < count:
        stage = chance.choice(STAGES)
        with raw(server.port, seconds=60) as client:
            if stage in LENGTHS:
                log_in(client)
            elif stage == "login":
                client.sendall(prelogin())
                answer(client)
            for _ in range(chance.randint(1, LENGTHS.get(stage, 4))):
                data = packets.packet(stage)
                found, alive = send(client, data)
                layers[stage, reached(found)] += 1
                assert found is None or _INTERNAL not in found, data
                assert found is None or "Traceback".encode("utf-16-le") not in found, data
                if not alive:
                    break
        if not memory and layers.total() > count // 4:
            memory = process.memory_info().rss
    assert works(server)
    return layers, process.memory_info().rss - memory


@pytest.fixture
def busy_server(tmp_path, monkeypatch):
    """A server without TLS whose pool stays open, so that a connection costs little."""
    pool = embedded_pool(tmp_path)
    monkeypatch.setattr(tds_packets, "MESSAGE_BYTES", 200_000)
    with pool.session(), sql_server(tmp_path, tls=False, pool=pool) as server:
        yield server


def test_some_fuzzed_packets_end_in_an_error_or_a_closed_connection(busy_server):
    layers, _ = fuzz(busy_server, seed=3, count=250)
    assert layers["session", "result"] > 40


@pytest.mark.slow
def test_fuzzed_packets_end_in_an_error_or_a_closed_connection(busy_server, capsys):
    layers, growth = fuzz(busy_server, seed=1, count=PACKETS)
    with capsys.disabled():
        for (stage, layer), count in sorted(layers.items()):
            sys.stdout.write(f"  {stage:10}{layer:8}{count:7}\n")
    sessions = sum(count for (stage, _), count in layers.items() if stage in LENGTHS)
    ran = sum(count for (_, layer), count in layers.items() if layer in ("result", "done"))
    assert sessions > PACKETS / 2
    assert ran > PACKETS / 2
    assert growth < 200 * 2**20
