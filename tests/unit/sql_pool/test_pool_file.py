"""The pool's file: waiting for a holder, sharing in one process, kills, transactions."""

import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import psutil
import pytest
from filelock import FileLock, Timeout

from bikecast.embedded.sql_pool import Limits, Pool, SqlError, storage
from bikecast.embedded.sql_pool.errors import from_duckdb
from bikecast.embedded.sql_pool.values import python_functions

HOLDER = """
import sys
from bikecast.embedded.sql_pool import Pool

pool = Pool(sys.argv[1], sys.argv[2])
with pool.session() as session:
    session.run("IF OBJECT_ID('dbo.t') IS NULL CREATE TABLE dbo.t (a int)")
    session.run("INSERT INTO dbo.t VALUES (1)")
    session.run("BEGIN TRANSACTION")
    session.run("INSERT INTO dbo.t VALUES (2)")
    print("holding", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def pool(tmp_path, lake):
    """A pool whose file is still to be made."""
    return Pool(tmp_path / "pool.duckdb", lake)


@pytest.fixture
def holder(pool):
    """Another process with a session open and a transaction not committed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, pool.path, pool.lake_root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.wait()


def test_waiting_for_another_process_ends_in_an_error_that_names_it(pool, holder, monkeypatch):
    monkeypatch.delattr(duckdb, "connect")  # it would read the header while the holder may write
    impatient = Pool(pool.path, pool.lake_root, Limits(wait_seconds=0.1))
    with pytest.raises(SqlError, match=rf"process {holder.pid} .*Nothing was changed") as caught:
        impatient.session().__enter__()
    assert caught.value.number == 1222


def test_a_session_waits_until_the_other_process_is_done(pool, holder):
    threading.Timer(0.3, holder.stdin.close).start()
    with pool.session() as session:
        assert session.run("SELECT a FROM dbo.t")[0].rows == [(1,)]


@pytest.mark.slow
def test_a_killed_holder_leaves_the_committed_state_and_no_lock(pool, holder):
    holder.kill()
    holder.wait()
    with pool.session() as session:
        assert session.run("SELECT a FROM dbo.t")[0].rows == [(1,)]


def test_the_lock_is_held_until_the_file_is_closed(pool):
    lock = FileLock(pool.path.with_name(".pool.duckdb.lock"))
    with pool.session():
        with pool.session():
            pass
        assert pool.path in files_that_are_open()
        with pytest.raises(Timeout):
            lock.acquire(blocking=False)
    assert pool.path not in files_that_are_open()
    with lock.acquire(blocking=False):
        pass


@pytest.mark.parametrize("spelling", ["../{folder}/pool.duckdb", "link.duckdb"])
def test_one_file_has_one_lock_however_its_path_is_written(pool, holder, spelling):
    folder = pool.path.parent
    (folder / "link.duckdb").symlink_to(pool.path)
    same = folder / spelling.format(folder=folder.name)
    other = Pool(same, pool.lake_root, Limits(wait_seconds=0.1))
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(duckdb, "connect")
        with pytest.raises(SqlError, match=rf"process {holder.pid} "):
            other.session().__enter__()
    holder.kill()
    holder.wait()
    with pool.session() as one, other.session() as two:
        one.run("CREATE TABLE dbo.shared (a int)")
        assert two.run("SELECT a FROM dbo.shared")[0].rows == []


def test_links_in_a_circle_are_a_clear_error(pool):
    pool.path.symlink_to(pool.path)
    with pytest.raises(SqlError, match="cannot be opened") as caught:
        pool.session().__enter__()
    assert caught.value.number == 5120


def files_that_are_open():
    return {Path(file.path) for file in psutil.Process().open_files()}


def test_two_sessions_of_one_process_share_the_pool(pool):
    with pool.session() as one, pool.session() as other:
        one.run("CREATE TABLE dbo.t (a int)")
        other.run("INSERT INTO dbo.t VALUES (1)")
        assert one.run("SELECT a FROM dbo.t")[0].rows == [(1,)]


def test_threads_use_the_pool_at_once(pool):
    with pool.session() as session:
        session.run("CREATE TABLE dbo.t (a int)")
    failures = []

    def add(number):
        try:
            for _ in range(3):
                with pool.session() as session:
                    session.run("INSERT INTO dbo.t VALUES (?)", [number])
        except Exception as error:  # noqa: BLE001 # any of them fails the test
            failures.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with pool.session() as session:
        assert session.run("SELECT COUNT(*) FROM dbo.t")[0].rows == [(12,)]


def test_a_file_that_is_no_pool_is_a_clear_error(tmp_path):
    path = tmp_path / "pool.duckdb"
    path.write_text("not a database")
    pool = Pool(path, tmp_path)
    with pytest.raises(SqlError, match=r"pool\.duckdb cannot be opened"):
        pool.session().__enter__()


def test_macros_of_another_program_version_are_made_anew(pool, monkeypatch):
    length = "SELECT LEN('a ') AS n"
    with monkeypatch.context() as other:
        other.setattr(python_functions, "_digest", lambda: "of another version")
        other.setattr(python_functions, "_text", lambda: "CREATE MACRO tsql_length(value) AS 7")
        with pool.session() as session:
            assert session.run(length)[0].rows == [(7,)]
    with pool.session() as session:
        assert session.run(length)[0].rows == [(1,)]


def test_macros_are_made_once_a_file(pool, monkeypatch):
    with pool.session():
        pass
    monkeypatch.setattr(python_functions, "_text", lambda: "this is no SQL")
    with pool.session() as session:
        assert session.run("SELECT LEN('a ') AS n")[0].rows == [(1,)]


def test_an_error_in_a_transaction_dooms_it_until_rollback(session):
    session.run("CREATE TABLE dbo.t (a int)")
    batch = """
        BEGIN TRAN
        BEGIN TRY
            INSERT INTO dbo.t VALUES (1)
            SELECT 1/0
        END TRY
        BEGIN CATCH
            DECLARE @state smallint = XACT_STATE()
            ROLLBACK
            SELECT @state AS state, ERROR_NUMBER() AS number, @@TRANCOUNT AS open_ones
        END CATCH
    """
    results = session.run(batch)
    assert results[-1].rows == [(-2, 8134, 0)]
    assert session.run("SELECT COUNT(*) FROM dbo.t")[0].rows == [(0,)]


def test_a_query_in_a_doomed_transaction_is_an_error(error_number):
    batch = "BEGIN TRAN BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH SELECT 1 AS x END CATCH"
    assert error_number(batch) == 111233


def test_a_full_disk_is_error_1105_and_no_internal_one():
    error = from_duckdb(
        Exception('IO Error: Could not write file "p.wal": No space left on device')
    )
    assert error.number == 1105
    assert "make room" in str(error)


def test_a_change_beyond_the_memory_limit_is_error_701_and_changes_nothing(pool, monkeypatch):
    with pool.session() as session:
        session.run("CREATE TABLE dbo.t (a varchar(200))")
        session.run("INSERT INTO dbo.t SELECT REPLICATE('a', 190)")
        for _ in range(18):
            session.run("INSERT INTO dbo.t SELECT a FROM dbo.t")
    monkeypatch.setattr(storage, "MEMORY_LIMIT", "24MiB")
    with pool.session() as session:
        with pytest.raises(SqlError, match=r"701.*Nothing was changed"):
            session.run("UPDATE dbo.t SET a = a + 'b'")
        assert session.run("SELECT COUNT(*) FROM dbo.t WHERE a LIKE '%b'")[0].rows == [(0,)]


def test_a_pool_file_that_cannot_be_opened_says_what_to_do(tmp_path):
    (tmp_path / "pool.duckdb").mkdir()
    pool = Pool(tmp_path / "pool.duckdb", tmp_path)
    with (
        pytest.raises(SqlError, match=r"5120.*Nothing was changed\. Make the folder"),
        pool.session(),
    ):
        pass
