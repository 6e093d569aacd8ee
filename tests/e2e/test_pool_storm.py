"""Fifty real clients at once: some cancel, some die in a transaction; nothing is lost or held."""

import concurrent.futures
import contextlib
import random
import subprocess
import sys
import threading

import psutil
import pytest

from bikecast.embedded.sql_pool import Limits, Pool
from tests.tds_server import connection_string, odbc_driver, server_process

pytestmark = pytest.mark.slow

CLIENTS, TURNS, DYING = 50, 2, 4
CANCELLED = "HY008"
#: An endless loop takes turns with all others at the server's interpreter.
GATE = threading.BoundedSemaphore(4)
ENDLESS = "DECLARE @i int = 0; WHILE 1 = 1 SET @i = 1 - @i"
#: A client that says when it is inside of its transaction, and stays there.
DIE = """
import sys, time, pyodbc
connection = pyodbc.connect(sys.argv[1], autocommit=False)
connection.execute("INSERT INTO dbo.kept VALUES (-1)")
print("inside", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    odbc_driver()
    folder = tmp_path_factory.mktemp("storm")
    with server_process(folder) as server:
        server.pool = Pool(folder / "pool.duckdb", folder / "lake", Limits(wait_seconds=30))
        yield server


def connect(server, *, autocommit=True):
    import pyodbc

    pyodbc.pooling = False
    return pyodbc.connect(connection_string(server), autocommit=autocommit, timeout=60)


def cancel(cursor, sql, seconds):
    """The SQLSTATE of a statement that is cancelled, after so many seconds, until it ends."""
    import pyodbc

    ended = threading.Event()

    def give_up():
        while not ended.wait(seconds):  # a cancel before the statement has begun is lost
            cursor.cancel()

    thread = threading.Thread(target=give_up)
    thread.start()
    try:
        with pytest.raises(pyodbc.Error) as caught:
            cursor.execute(sql)
    finally:
        ended.set()
        thread.join()
    return caught.value.args[0]


def storm(connection, client):
    """The numbers that the server said were inserted, of which none may be missing."""
    clock = random.Random(client)
    kept = []
    cursor = connection.cursor()
    for turn in range(TURNS):
        number = 100 * client + turn
        cursor.execute(f"INSERT INTO dbo.kept VALUES ({number})")
        kept.append(number)
        lost = f"BEGIN TRANSACTION; INSERT INTO dbo.kept VALUES ({-number - 2}); {ENDLESS}"
        with GATE:
            state = cancel(cursor, lost if turn % 2 else ENDLESS, clock.uniform(0.05, 0.3))
        assert state == CANCELLED
        assert cursor.execute("SELECT @@TRANCOUNT").fetchval() == 0
    return kept


def test_a_storm_of_cancels_and_deaths_loses_nothing_and_holds_nothing(server):
    with contextlib.closing(connect(server)) as first:
        first.execute("CREATE TABLE dbo.kept (a int) WITH (HEAP)")
    command = [sys.executable, "-c", DIE, connection_string(server)]
    dying = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(DYING)]
    try:
        assert [process.stdout.readline() for process in dying] == ["inside\n"] * DYING
        opened = [connect(server) for _ in range(CLIENTS - DYING)]
        with concurrent.futures.ThreadPoolExecutor(len(opened)) as threads:
            storms = [threads.submit(storm, one, client) for client, one in enumerate(opened)]
            for process in dying:
                process.kill()
            kept = [number for done in storms for number in done.result()]
        for connection in opened:
            connection.close()
    finally:
        for process in dying:
            process.kill()
            process.communicate()

    assert len(kept) == len(opened) * TURNS
    with server.pool.session() as session:  # another process: the server has given the file back
        (rows,) = session.run("SELECT a FROM dbo.kept ORDER BY a")
        session.run("DROP TABLE dbo.kept")
    assert [row[0] for row in rows.rows] == sorted(kept)
    open_now = psutil.Process(server.pid).net_connections(kind="tcp")
    assert [one.status for one in open_now if one.status == psutil.CONN_ESTABLISHED] == []
