"""An interactive session on the pool: started, used again, stopped, never left running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.settings import PROJECT
from resources.spark.livy_session import LivySession, StatementFailed, parts_of
from resources.spark.livy_sessions import LivySessions
from tests.azure.cloud import faults
from tests.azure.workspace import lake


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the home, also for processes that a test starts."""
    monkeypatch.setenv("SESSIONS", str(tmp_path / "sessions"))


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
    place = {"name": "bikecast-test", "folder": Path(os.environ["SESSIONS"])}
    told = {**place, "say": lambda text: None, **names}
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
    session.kept_tables = {"bike_data"}
    with pytest.raises(StatementFailed, match="bike_data is no name for a new table"):
        session.run("lake.save(spark.sql('SELECT 1 AS a'), 'bike_data')")
    with pytest.raises(StatementFailed, match="ZeroDivisionError: division by zero"):
        session.run("1 / 0")
    with pytest.raises(BikecastError, match=r"not found: bikes\nThe lake's tables are: bike_data"):
        session.sql("SELECT * FROM bikes")
    with pytest.raises(InvalidInput, match="more than 1 rows"):
        session.sql("SELECT * FROM bike_data", most=1)
    with pytest.raises(InvalidInput, match="is no query"):
        session.sql("DROP TABLE bike_data")


def test_a_session_that_dies_while_it_starts_is_told_and_stopped(session, cloud, monkeypatch):
    cloud.livy_sessions.add("bikecast-test", "starting")
    monkeypatch.setattr(LivySessions, "state", lambda sessions, number: "dead")

    with pytest.raises(BikecastError, match=r"is dead, not ready\. It was stopped"):
        session.run("print(1)")


def test_a_cell_after_one_that_was_interrupted_at_the_start_waits_for_the_session(session, cloud):
    """The session of the broken start has no `lake` yet."""

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resources.spark.livy_session.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.run("print(1)")
    assert [each.state for each in cloud.livy_sessions.sessions] == ["starting"]

    assert session.run("print(lake.url('a'))").endswith("/a")
    assert len(cloud.livy_sessions.sessions) == 1


def test_who_leaves_a_session_that_another_process_uses_lets_it_run(session, cloud):
    """As `bikecast sql --lake` beside a notebook. Two objects stand for two processes."""
    notebook, said = session, []
    notebook.run("a = 1")
    command = new_session(say=said.append)
    command.run("print(1)")

    command.leave()
    assert said[-1] == "The Spark session 0 of sparkpool stays: others here use it."
    assert notebook.run("print(a)") == "1"

    notebook.leave()
    assert cloud.livy_sessions.live() == []


def test_a_start_whose_answer_is_lost_is_found_by_its_name(session, cloud):
    cloud.faults.add("POST", "/sparkPools/sparkpool/sessions", faults.INTERNAL, late=True)
    with pytest.raises(BikecastError):
        session.run("print(1)")

    assert session.run("print(2)") == "2"
    assert len(cloud.livy_sessions.sessions) == 1


def test_an_end_by_name_leaves_the_sessions_of_others(cloud):
    for number in range(25):
        cloud.livy_sessions.add("bikecast-test" if number % 9 == 4 else "another", "idle")

    assert LivySessions("bikesynapse", "sparkpool", "bikecast-test").end() == [22, 13, 4]
    assert len(cloud.livy_sessions.live()) == 22


KILLED = """
import os, signal
from tests.azure.test_livy_session import new_session
new_session().run("print(1)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def all_end(cloud) -> bool:
    """Whether all sessions end within a minute."""
    for _ in range(600):
        if not cloud.livy_sessions.live():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow  # two processes that import Azure's clients
def test_a_killed_process_leaves_no_session_behind(cloud):
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=PROJECT, check=False)

    assert done.returncode == -9
    assert len(cloud.livy_sessions.sessions) == 1
    assert all_end(cloud)


@pytest.mark.slow  # the same
def test_a_process_that_is_killed_while_the_session_is_asked_for_leaves_none_behind(cloud):
    """Its guard is there before the session is, and knows it by its name."""
    running = []
    cloud.faults.add(
        "POST",
        "/sparkPools/sparkpool/sessions",
        late=True,
        then=lambda: os.kill(running[0].pid, signal.SIGKILL),
    )
    with subprocess.Popen([sys.executable, "-c", KILLED], cwd=PROJECT) as process:
        running.append(process)
    assert process.returncode == -9
    assert len(cloud.livy_sessions.sessions) == 1
    assert all_end(cloud)


def test_texts_and_tables_of_an_output_keep_their_order():
    table = '{"columns": [["a", "int"]], "rows": [[1]]}'
    first, result, last = parts_of(f"one\nbikecast-table:{table}\ntwo\n")

    assert (first, last) == ("one", "two")
    assert result.as_dicts() == [{"a": 1}]
