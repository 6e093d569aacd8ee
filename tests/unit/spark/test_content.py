"""The data version is one formula: Sail and the JVM find the same sums."""

import datetime as dt
import json
import shutil
import subprocess
import sys

import pytest

from bikecast.core.spec import Column
from resources.spark.content import Content, content_of
from resources.spark.sessions import session_for

COLUMNS = (
    Column("a", "bigint"),
    Column("b", "int"),
    Column("r", "real"),
    Column("d", "float"),
    Column("t", "varchar"),
    Column("day", "date"),
)
SCHEMA = "a bigint, b int, r float, d double, t string, day date"
ROWS = [
    (1, 1, 0.344167, 0.1, "x", dt.date(2011, 1, 1)),
    (-5, None, -0.0, -0.0, "é日", None),
    (2**62, 7, 1e-30, 1e300, "", dt.date(1969, 12, 31)),
    (-(2**63), -(2**31), 3.4e38, 5e-324, " ", dt.date(1, 1, 1)),
    (None, None, None, None, None, None),
]


def sums(remote: str) -> list[int]:
    """Rows and sums of the table in an engine."""
    table = session_for(remote).createDataFrame(ROWS, SCHEMA)
    content = content_of(table, COLUMNS)
    return [content.rows, *content.sums]


def changed(row: int, column: int, value: object) -> list[tuple]:
    rows = [list(each) for each in ROWS]
    rows[row][column] = value
    return [tuple(each) for each in rows]


def test_the_content_does_not_depend_on_order_and_adds_up_over_parts():
    session = session_for("")

    def content(rows):
        return content_of(session.createDataFrame(rows, SCHEMA), COLUMNS)

    whole = content(ROWS)
    assert content(ROWS[::-1]) == whole
    assert content(ROWS[:2]) + content(ROWS[2:]) == whole
    assert content(changed(1, 2, 0.0)) == whole
    others = [(4, 4, ""), (4, 0, 0), (1, 1, 0), (0, 2, 0.344168), (0, 5, dt.date(2011, 1, 2))]
    versions = {content(changed(*change)).version(COLUMNS) for change in others}
    assert len(versions | {whole.version(COLUMNS)}) == len(others) + 1


@pytest.mark.slow
def test_sail_and_the_jvm_find_the_same_sums():
    if shutil.which("java") is None:
        pytest.skip("no Java here")
    script = "from tests.unit.spark.test_content import sums; print(sums('local[1]'))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == sums("")


def test_an_empty_table_has_a_version():
    empty = session_for("").createDataFrame([], SCHEMA)
    assert content_of(empty, COLUMNS) == Content(0, (0, 0, 0, 0))
