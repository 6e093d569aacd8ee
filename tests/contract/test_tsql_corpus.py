"""The T-SQL corpus against the embedded pool, in this process.

The cases are recorded answers of a T-SQL engine, reviewed for a dedicated SQL pool. They lie
beside the repository (../shared/tsql) together with the rules of comparison, which are those of
`run_corpus.py`: names without case, floats to 1e-6, row order only under an outer ORDER BY, and
types as far as a driver shows them.
"""

import contextlib
import datetime
import decimal
import json
import math
import re
import uuid
from pathlib import Path

import pytest

from bikecast.core.sql import SqlError
from resources.sql_pool.embedded import EmbeddedSqlPool

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "tsql" / "cases.jsonl"
TEXT = {"varchar", "nvarchar", "char", "nchar", "uniqueidentifier"}
BINARY = {"binary", "varbinary"}
NUMERIC = {"decimal", "money", "smallmoney"}
#: Cases that this pool answers otherwise, and why.
DISPUTED = {
    "catalog-04": "Synapse refuses a (max) column in a columnstore table, the default: "
    "https://learn.microsoft.com/azure/synapse-analytics/sql-data-warehouse/"
    "sql-data-warehouse-tables-index",
    "strings-28": "Synapse has no TRANSLATE: "
    "https://learn.microsoft.com/sql/t-sql/functions/translate-transact-sql (Applies to) and "
    "https://learn.microsoft.com/azure/synapse-analytics/sql/overview-features",
}


def cases():
    if not CORPUS.exists():
        return []
    return [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines() if line.strip()]


CASES = cases()


def parameter(case):
    """A case as pytest's parameter; a disputed one must fail."""
    reason = DISPUTED.get(case["id"])
    marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
    return pytest.param(case, id=case["id"], marks=marks)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    pool = EmbeddedSqlPool(path=str(folder / "pool.duckdb"), lake_root=str(folder))
    with pool.session():  # keeps the file open, so that each case opens a connection only
        yield pool


def encoded(value):
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex().upper()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value).upper()
    return value


def same(want, got):
    if want is None or got is None:
        return want is got
    if isinstance(want, float) or isinstance(got, float):
        return math.isclose(float(want), float(got), rel_tol=1e-6, abs_tol=1e-12)
    return want == got


def same_row(want, got):
    return len(want) == len(got) and all(map(same, want, got))


def same_rows(want, got, ordered):
    if len(want) != len(got):
        return False
    if ordered:
        return all(map(same_row, want, got))
    rest = list(got)
    for row in want:
        match = next((i for i, other in enumerate(rest) if same_row(row, other)), None)
        if match is None:
            return False
        del rest[match]
    return True


def same_type(want, got):
    base, _, digits = want.partition("(")
    got_base, _, got_digits = got.partition("(")
    for family in (TEXT, BINARY):
        if base in family:
            return got_base in family
    if base == "decimal":
        return got_base in NUMERIC and (not digits or digits == got_digits)
    if base == "datetime2":
        return got_base in ("datetime", "datetime2", "smalldatetime")
    return base == "datetimeoffset" or base == got_base


def has_order(sql):
    """Whether the batch has an outer ORDER BY."""
    inner = r"(over|within group)\s*\([^()]*(\([^()]*\)[^()]*)*\)"
    return "order by" in re.sub(inner, "", sql.lower())


def run(session, batch):
    before = len(session.messages)
    results = session.run(batch)
    return results, session.messages[before:]


def clear_up(pool, case):
    for batch in case.get("teardown", ()):
        with pool.session() as session, contextlib.suppress(SqlError):
            session.run(batch)


def outcome(pool, case):
    """The case's result sets and messages, or its error."""
    with pool.session() as session:
        try:
            for batch in case["setup"]:
                session.run(batch)
        except SqlError as error:
            if not case["expect"].get("refused"):
                raise
            return error, []
        try:
            return run(session, case["sql"])
        except SqlError as error:
            return error, []


def check(expect, found, messages, ordered):
    if expect.get("refused"):
        assert isinstance(found, SqlError), f"accepted: {found}"
        return
    if "error" in expect:
        assert isinstance(found, SqlError), f"no error: {found}"
        assert found.number in [expect["error"], *expect.get("error_alt", [])], str(found)
        return
    assert not isinstance(found, SqlError), str(found)
    wanted = expect.get("results", [expect] if "columns" in expect else [])
    assert len(found) == len(wanted)
    for want, got in zip(wanted, found, strict=True):
        names = [column["name"].lower() for column in want["columns"]]
        assert [column.name.lower() for column in got.columns] == names
        rows = [[encoded(value) for value in row] for row in got.rows]
        assert same_rows(want["rows"], rows, ordered), f"{rows}, expected {want['rows']}"
        for column, actual in zip(want["columns"], got.columns, strict=True):
            assert same_type(column["type"], actual.sql_type), (column, actual)
    if "messages" in expect:
        assert messages == expect["messages"]


@pytest.mark.skipif(not CASES, reason="the T-SQL corpus is not beside this repository")
@pytest.mark.parametrize("case", [parameter(case) for case in CASES])
def test_the_pool_answers_as_the_corpus_says(pool, case):
    clear_up(pool, case)
    try:
        found, messages = outcome(pool, case)
        check(case["expect"], found, messages, has_order(case["sql"]))
    finally:
        clear_up(pool, case)
