"""Guessing is slow, the log stays short, and who does not log in gives way."""

import logging
import socket
import threading

import pytest

from bikecast.embedded.sql_pool.errors import look
from bikecast.embedded.sql_pool.syntax import reader
from bikecast.embedded.sql_pool.tds import credentials
from bikecast.embedded.sql_pool.tds import server as servers
from bikecast.embedded.sql_pool.tds.credentials import AT_ONCE, FailedLogins
from tests.tds_server import sql_server
from tests.unit.tds.sessions import answer, batch, log_in, login, prelogin, raw, works


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(credentials.time, "monotonic", lambda: now[0])
    return now


def test_each_failure_of_an_address_is_answered_later_than_the_one_before(clock):
    guard = FailedLogins()
    delays = [guard.failed("10.0.0.1", "sa") for _ in range(7)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert guard.failed("10.0.0.2", "sa") == 0.1
    guard.succeeded("10.0.0.1")
    assert guard.failed("10.0.0.1", "sa") == 0.1


def test_failures_are_logged_once_a_minute_with_their_number(clock, caplog):
    guard = FailedLogins()
    with caplog.at_level(logging.WARNING):
        for _ in range(500):
            guard.failed("10.0.0.1", "sa\n")
        clock[0] += 60
        guard.failed("10.0.0.1", "sa")
    first, second = (record.getMessage() for record in caplog.records)
    assert (
        first == r"Login failed for user 'sa\n' from 10.0.0.1 (1 failed since the last such line)"
    )
    assert "(500 failed" in second


def test_few_logins_of_one_address_are_looked_at_at_once():
    guard = FailedLogins()
    turns = [guard.turn("10.0.0.1", 0) for _ in range(AT_ONCE)]
    assert all(turn.__enter__() for turn in turns)
    with guard.turn("10.0.0.1", 0) as has_turn, guard.turn("10.0.0.2", 0) as other_has:
        assert not has_turn
        assert other_has
    turns[0].__exit__(None, None, None)
    with guard.turn("10.0.0.1", 0) as has_turn:
        assert has_turn


def test_a_wrong_password_is_refused_and_the_right_one_works(tmp_path):
    with sql_server(tmp_path, tls=False) as server:
        for _ in range(2):
            with raw(server.port) as client:
                client.sendall(prelogin())
                answer(client)
                client.sendall(login(password="wrong"))
                assert "Login failed".encode("utf-16-le") in answer(client)
        assert works(server)


def test_connections_that_do_not_log_in_give_way(tmp_path, monkeypatch):
    """64 silent connections kept everybody else out."""
    monkeypatch.setattr(servers, "MAX_CONNECTIONS", 2)
    with sql_server(tmp_path, tls=False) as server, raw(server.port) as first, raw(server.port):
        assert works(server)
        assert first.recv(1) == b""  # the oldest has left


def test_those_who_are_logged_in_do_not_give_way(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "MAX_CONNECTIONS", 1)
    with sql_server(tmp_path, tls=False) as server, raw(server.port) as first:
        log_in(first)
        with raw(server.port) as second:
            assert second.recv(1) == b""
        first.sendall(batch("SELECT 1 AS a"))
        assert b"\xd1\x04\x01" in answer(first)


def parsing(monkeypatch, step):
    """Let the server's parser do `step` over and over; an event says that it is at it."""
    started = threading.Event()

    def check_batch(text, limits):
        started.set()
        while not step():
            pass

    monkeypatch.setattr(reader, "check_batch", check_batch)
    return started


def test_what_is_parsed_for_a_client_that_left_ends(tmp_path, monkeypatch):
    """It ran on, at a core, and SIGTERM did not end the server."""
    pause = threading.Event()
    with sql_server(tmp_path, tls=False) as server:
        with raw(server.port) as client:
            log_in(client)
            started = parsing(monkeypatch, lambda: look() or pause.wait(0.01))
            client.sendall(batch("SELECT 1 AS never"))
            assert started.wait(20)
            (thread,) = server._threads
            client.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_closing_says_whether_everything_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "CLOSE_SECONDS", 0.1)
    go_on = threading.Event()
    with sql_server(tmp_path, tls=False) as server, raw(server.port) as client:
        log_in(client)
        started = parsing(monkeypatch, lambda: go_on.wait(20))
        client.sendall(batch("SELECT 2 AS never"))
        assert started.wait(20)
        (thread,) = server._threads
        assert not server.close()
        go_on.set()
        thread.join(timeout=20)
        assert server.close()
