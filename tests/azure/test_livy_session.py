"""An interactive session on the pool: started, used again, stopped, never left running."""

import subprocess
import sys
import time

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.settings import PROJECT
from resources.spark.livy_session import LivySession, StatementFailed, parts_of
from resources.spark.session_guard import main as guard
from tests.azure.workspace import lake


@pytest.fixture
def session(cloud):
    """A session that is not started yet, on a lake with one table."""
    url, options = lake().url("tables/bike_data"), lake().table_options()
    write_deltalake(url, pa.table({"rentals": [331, 7]}), storage_options=options)
    session = new_session()
    yield session
    session.stop()
    assert cloud.livy_sessions.live() == []


def new_session(**names) -> LivySession:
    tables = {"bike_data": "tables/bike_data", "none": "tables/none"}
    told = {"name": "bikecast-test", "say": lambda text: None, **names}
    return LivySession("bikesynapse", "sparkpool", lake(), tables_there=tables, **told)


@pytest.mark.calls
def test_a_session_is_started_by_its_first_use_used_again_and_stopped(session, cloud):
    assert cloud.livy_sessions.sessions == []
    assert session.tables() == ["bike_data"]

    result = session.sql("SELECT sum(rentals) AS total, true AS sure, NULL AS gap FROM bike_data")
    assert [column.name for column in result.columns] == ["total", "sure", "gap"]
    assert result.rows == [(338, True, None)]
    assert session.run("a = 20") == ""
    assert session.run("print(a + 1)") == "21"
    assert len(cloud.livy_sessions.sessions) == 1
    [post] = cloud.calls("POST", "/sparkPools/sparkpool/sessions")[:1]
    assert b'"name": "bikecast-test"' in post.body

    guard = session._guard
    session.stop()
    assert guard.returncode == 0
    assert cloud.livy_sessions.live() == []
    assert session.run("print('again')") == "again"
    assert len(cloud.livy_sessions.sessions) == 2

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resources.spark.livy_session.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run("print(1)")
    assert cloud.livy_sessions.sessions[-1].statements[-1].state == "cancelled"


def test_a_session_of_the_name_that_lives_is_used_again_whoever_left_it(session, cloud):
    for number in range(25):
        cloud.livy_sessions.add("of somebody else" if number else "bikecast-test", "dead")
    left = cloud.livy_sessions.add("bikecast-test", "idle")
    said = []
    session.say = said.append

    session.run("print(1)")
    assert said == [f"The open Spark session {left.id} of sparkpool is used again."]
    assert len(cloud.livy_sessions.sessions) == 26


def test_errors_of_statements_and_queries_are_the_pools_own(session):
    with pytest.raises(StatementFailed, match="ZeroDivisionError: division by zero"):
        session.run("1 / 0")
    with pytest.raises(BikecastError, match=r"not found: bikes\nThe lake's tables are: bike_data"):
        session.sql("SELECT * FROM bikes")
    with pytest.raises(InvalidInput, match="more than 1 rows"):
        session.sql("SELECT * FROM bike_data", most=1)
    with pytest.raises(InvalidInput, match="is no query"):
        session.sql("DROP TABLE bike_data")


def test_a_session_that_dies_while_it_starts_is_told_and_stopped(session, cloud):
    cloud.livy_sessions.add("bikecast-test", "starting")
    session._state = lambda number: "dead"

    with pytest.raises(BikecastError, match=r"is dead, not ready\. It was stopped"):
        session.run("print(1)")


KILLED = """
import os, signal, sys
from tests.azure.test_livy_session import new_session
new_session().run("print(1)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_guard_of_a_process_that_is_gone_ends_its_session(cloud, monkeypatch, tmp_path):
    """The end of its input is the end of that process."""
    left = cloud.livy_sessions.add("bikecast-test", "busy")
    (tmp_path / "pipe").write_text("used\n")
    for number in (left.id, 99):  # one that is gone already is no error
        with (tmp_path / "pipe").open() as pipe:
            monkeypatch.setattr(sys, "stdin", pipe)
            guard("bikesynapse", "sparkpool", str(number), "60")

    assert cloud.livy_sessions.live() == []


@pytest.mark.slow  # two processes that import Azure's clients
def test_a_killed_process_leaves_no_session_behind(cloud):
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=PROJECT, check=False)

    assert done.returncode == -9
    assert len(cloud.livy_sessions.sessions) == 1
    for _ in range(600):
        if not cloud.livy_sessions.live():
            break
        time.sleep(0.1)
    assert cloud.livy_sessions.live() == []


def test_texts_and_tables_of_an_output_keep_their_order():
    table = '{"columns": [["a", "int"]], "rows": [[1]]}'
    first, result, last = parts_of(f"one\nbikecast-table:{table}\ntwo\n")

    assert (first, last) == ("one", "two")
    assert result.as_dicts() == [{"a": 1}]
