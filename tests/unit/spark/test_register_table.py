"""The training table gets a name in the lake database."""

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from py4j.protocol import Py4JJavaError, Py4JNetworkError

from resources.spark.batch import register_table
from resources.spark.sessions import session_for


@pytest.fixture
def session():
    session = session_for("")
    yield session
    session.sql("DROP TABLE IF EXISTS default.registered").collect()


def rows(session):
    return session.sql("SELECT count(*) FROM default.registered").collect()[0][0]


def test_a_delta_table_is_found_by_its_name_and_registering_twice_is_no_error(session, tmp_path):
    write_deltalake(tmp_path / "it's", pa.table({"a": [1, 2, 3]}))

    assert register_table(session, "registered", str(tmp_path / "it's")) == ""
    assert register_table(session, "registered", str(tmp_path / "it's")) == ""
    assert rows(session) == 3


def test_a_table_of_that_name_is_left_as_it_is(session, tmp_path):
    write_deltalake(tmp_path / "first", pa.table({"a": [1]}))
    write_deltalake(tmp_path / "second", pa.table({"a": [1, 2]}))
    register_table(session, "registered", str(tmp_path / "first"))
    register_table(session, "registered", str(tmp_path / "second"))

    assert rows(session) == 1


def test_a_refusal_is_told_and_raises_nothing(session):
    said = register_table(session, "no`such", "nowhere")
    assert said.startswith("no`such could not be registered as default.no`such: ")


class JavaException:
    """A Java exception as py4j hands it over."""

    _target_id = "o1"

    def toString(self):  # noqa: N802 # Java's name
        return "java.lang.RuntimeException: the metastore is away\n\tat org.example.Store.get"


class Broken:
    """A session whose JVM fails."""

    def __init__(self, error):
        self.error = error

    def sql(self, text):
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            Py4JJavaError("An error occurred while calling o45.sql.\n", JavaException()),
            "java.lang.RuntimeException: the metastore is away",
        ),
        (Py4JNetworkError("Answer from Java side is empty"), "Answer from Java side is empty"),
        (OSError("no route to the metastore"), "no route to the metastore"),
    ],
)
def test_a_failure_of_the_jvm_is_told_and_the_committed_table_is_not_lost(error, reason):
    said = register_table(Broken(error), "registered", "nowhere")
    assert said == f"registered could not be registered as default.registered: {reason}"
