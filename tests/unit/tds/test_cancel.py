"""Clients that give up: by an attention, which has an answer of its own, or by dying."""

import concurrent.futures
import struct

import duckdb
import pytest

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.tds.packets import Kind
from bikecast.embedded.sql_pool.tds.server import MAX_CONNECTIONS
from bikecast.embedded.sql_pool.work import SessionTransaction
from tests.tds_server import sql_server
from tests.unit.tds.sessions import answer, batch, call, log_in, nvarchar, packet, raw, transaction

ENDLESS = "DECLARE @i int = 0; WHILE 1 = 1 SET @i = 1 - @i"
ATTENTION = packet(Kind.ATTENTION, b"")
ACKNOWLEDGED = struct.pack("<BHHQ", 0xFD, 0x20, 0, 0)
ENDED = struct.pack("<BHHQ", 0xFD, 0x02, 0, 0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    with sql_server(tmp_path_factory.mktemp("cancel"), tls=False) as server:
        yield server


@pytest.fixture
def client(plain):
    with raw(plain.port) as client:
        log_in(client)
        yield client


def answers(client, *requests):
    """The answers to requests that are sent at once."""
    client.sendall(b"".join(requests))
    return [answer(client) for _ in requests]


@pytest.mark.parametrize(
    "request_", [batch(ENDLESS), call(10, nvarchar(ENDLESS))], ids=["batch", "call"]
)
def test_the_end_of_a_cancelled_batch_and_of_the_attention_are_two_messages(client, request_):
    # tedious looks for the attention's end in a message behind the batch's, and hangs without it
    ended, acknowledged = answers(client, request_, ATTENTION)
    assert ended.endswith(ENDED)
    assert acknowledged == ACKNOWLEDGED
    assert b"\x2a" in answers(client, batch("SELECT 42 AS a"))[0]


def test_an_attention_without_a_batch_is_acknowledged(client):
    assert answers(client, ATTENTION, ATTENTION) == [ACKNOWLEDGED] * 2


def test_an_attention_behind_a_batch_that_has_ended_is_acknowledged(client):
    done, acknowledged = answers(client, batch("SELECT 1 AS a"), ATTENTION)
    assert done is not None
    assert acknowledged == ACKNOWLEDGED


def test_a_storm_of_cancels_leaves_every_client_in_step(plain):
    def storm(number):
        with raw(plain.port) as client:
            log_in(client)
            for turn in range(10):
                text = ENDLESS if turn % 2 else f"SELECT {number} AS a"
                assert answers(client, batch(text), ATTENTION)[1] == ACKNOWLEDGED
            return answers(client, batch("SELECT 7 AS a"))[0].count(b"\x07")

    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        assert all(threads.map(storm, range(6)))


def test_a_client_that_dies_in_a_transaction_holds_and_changes_nothing(client, plain):
    (_,) = answers(client, batch("CREATE TABLE dbo.held (a int)"))
    for end in (ENDLESS, "INSERT INTO dbo.held VALUES (3)"):
        with raw(plain.port) as dying:
            log_in(dying)
            (_,) = answers(dying, transaction(5))
            (_,) = answers(dying, batch("INSERT INTO dbo.held VALUES (2)"))
            dying.sendall(batch(end))
    (changed,) = answers(client, batch("TRUNCATE TABLE dbo.held; SELECT 42 AS a"))
    assert b"\x2a\x00\x00\x00" in changed
    (counted,) = answers(client, batch("SELECT COUNT(*) + 40 AS a FROM dbo.held"))
    assert b"\x28\x00\x00\x00" in counted


def test_fifty_clients_work_at_the_same_time(plain):
    assert MAX_CONNECTIONS >= 50
    with raw(plain.port) as first:
        log_in(first)
        answers(first, batch("CREATE TABLE dbo.counted (a int)"))

        def insert(number):
            with raw(plain.port) as client:
                log_in(client)
                answers(client, batch(f"INSERT INTO dbo.counted VALUES ({number})"))

        with concurrent.futures.ThreadPoolExecutor(49) as threads:
            list(threads.map(insert, range(49)))
        counted = answers(first, batch("SELECT COUNT(DISTINCT a) FROM dbo.counted"))[0]
        assert b"\x31\x00\x00\x00" in counted


class CancelledAtBegin:
    """A connection that a cancel meets at its BEGIN."""

    def __init__(self, connection):
        self.connection = connection

    def execute(self, sql):
        self.connection.execute(sql)
        if sql == "BEGIN":
            with pytest.raises(duckdb.Error):
                self.connection.execute("SELECT error('ends the transaction')")
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")


def test_a_cancel_at_the_beginning_of_a_transaction_leaves_none():
    with duckdb.connect(":memory:") as connection:
        transaction = SessionTransaction(CancelledAtBegin(connection))
        with pytest.raises(SqlError):
            transaction.begin()
        assert not transaction.is_open
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
