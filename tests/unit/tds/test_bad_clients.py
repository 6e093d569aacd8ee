"""Clients that break the protocol: an error or a closed connection, and the server lives on."""

import socket

import pytest

from bikecast.embedded.sql_pool.tds import packets
from bikecast.embedded.sql_pool.tds.login import parse_login, parse_prelogin
from bikecast.embedded.sql_pool.tds.packets import HEADER, Kind
from bikecast.embedded.sql_pool.tds.rpc import ProtocolError, read_calls
from tests.tds_server import sql_server
from tests.unit.tds.sessions import (
    REQUESTS,
    answer,
    batch,
    integer,
    log_in,
    login,
    named_call,
    packet,
    prelogin,
    raw,
    works,
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A server without TLS, and a small limit on messages."""
    folder = tmp_path_factory.mktemp("plain")
    with (
        pytest.MonkeyPatch.context() as patch,
        sql_server(folder, tls=False) as server,
    ):
        patch.setattr(packets, "MESSAGE_BYTES", 200_000)
        yield server


def test_a_session_written_by_hand_gets_answers(plain):
    with raw(plain.port) as client:
        log_in(client)
        for request in REQUESTS:
            client.sendall(request)
            assert answer(client) is not None


def test_a_called_procedure_returns_its_status_and_its_output(plain):
    with raw(plain.port) as client:
        log_in(client)
        definition = "CREATE PROCEDURE dbo.p @a int, @b int OUTPUT AS SET @b = @a * 2; RETURN 7"
        client.sendall(batch(definition))
        answer(client)
        client.sendall(named_call("dbo.p", integer(21), integer(0, output=True)))
        found = answer(client)
        client.sendall(batch("DROP PROCEDURE dbo.p"))
        answer(client)
    assert b"\x79\x07\x00\x00\x00" in found
    assert b"\x04\x2a\x00\x00\x00" in found


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(range(256)) * 20,
        HEADER.pack(Kind.PRELOGIN, 1, 4, 0, 0, 0),
        HEADER.pack(Kind.PRELOGIN, 1, 60_000, 0, 0, 0),
        packet(Kind.SQL_BATCH, b""),
        packet(Kind.LOGIN, b"\xff" * 94),
        packet(Kind.PRELOGIN, b"\x01\x00\xff\x00\xff\xff"),
    ],
    ids=["http", "noise", "short length", "long length", "batch first", "bad login", "bad offset"],
)
def test_what_is_no_login_ends_the_connection(plain, sent):
    with raw(plain.port) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        while answer(client) is not None:
            pass
    assert works(plain)


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x12\x01"], ids=["nothing", "tls", "a part"])
@pytest.mark.parametrize("tls", [True, False])
def test_who_never_finishes_the_login_is_sent_away(tmp_path, monkeypatch, tls, sent):
    monkeypatch.setattr("bikecast.embedded.sql_pool.tds.session.HANDSHAKE_SECONDS", 0.2)
    with sql_server(tmp_path, tls=tls) as server, raw(server.port) as client:
        client.sendall(sent)
        assert client.recv(1) == b""


def test_empty_packets_do_not_go_on_for_ever(plain):
    with raw(plain.port) as client:
        log_in(client)
        client.sendall(HEADER.pack(Kind.SQL_BATCH, 0, HEADER.size, 0, 1, 0) * 2)
        assert b"\xaa" in (answer(client) or b"")
    assert works(plain)


def test_a_message_over_the_limit_ends_the_connection(plain):
    with raw(plain.port) as client:
        log_in(client)
        part = HEADER.pack(Kind.SQL_BATCH, 0, 32_000, 0, 1, 0) + b"x" * (32_000 - HEADER.size)
        try:
            for _ in range(50):
                client.sendall(part)
        except ConnectionError:
            pass
        else:
            found = answer(client)
            assert found is None or b"\xaa" in found
    assert works(plain)


def test_a_truncated_request_is_an_error_and_not_a_wait(plain):
    with raw(plain.port) as client:
        log_in(client)
        client.sendall(packet(Kind.RPC, REQUESTS[2][HEADER.size : -3]))
        assert b"\xaa" in (answer(client) or b"")
    assert works(plain)


@pytest.mark.parametrize("parse", [parse_prelogin, parse_login, read_calls])
def test_parsers_refuse_every_truncation(parse):
    whole = {parse_prelogin: prelogin(), parse_login: login(), read_calls: REQUESTS[2]}[parse]
    content = whole[HEADER.size :]
    parse(content)
    refused = 0
    for length in range(len(content)):
        try:
            parse(content[:length])
        except ProtocolError:
            refused += 1
    # a call may end between two parameters
    assert refused >= len(content) - 5
