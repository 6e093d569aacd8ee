"""A connection's session between two batches, when it has given the pool's file back."""

import datetime

import pytest

from bikecast.embedded.sql_pool import Pool
from bikecast.embedded.sql_pool.tds.pool_session import PoolSession


@pytest.fixture
def session(tmp_path):
    session = PoolSession(Pool(tmp_path / "pool.duckdb", tmp_path))
    yield session
    session.close()


def test_a_released_session_keeps_what_was_set(session):
    session.run("CREATE TABLE t (d date)", {})
    session.run("SET DATEFORMAT dmy; SET NOCOUNT ON", {})
    session.release()
    assert not session.is_open
    assert session.run("INSERT INTO t VALUES ('31/12/2024')", {}).outcomes == []
    (found,) = session.run("SELECT d FROM t", {}).outcomes
    assert found.rows == [(datetime.date(2024, 12, 31),)]


def test_a_session_that_is_reset_forgets_what_was_set(session):
    session.run("SET DATEFORMAT dmy", {})
    session.close()
    answer = session.run("SELECT CAST('31/12/2024' AS date)", {})
    assert answer.error is not None
    assert answer.error.number == 241
