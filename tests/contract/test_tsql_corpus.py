"""The T-SQL corpus against the embedded pool, in this process."""

import contextlib
from functools import partial

import pytest

from bikecast.core.sql import SqlError
from resources.sql_pool.embedded import EmbeddedSqlPool
from tests.corpus.comparison import CASES, DISPUTED, Answer, Rowset, fault

TEXT = {"varchar", "nvarchar", "char", "nchar", "uniqueidentifier"}
BINARY = {"binary", "varbinary"}
NUMERIC = {"decimal", "money", "smallmoney"}


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


def run(session, batch):
    before = len(session.messages)
    try:
        results = session.run(batch)
    except SqlError as error:
        return Answer(error=str(error), number=error.number)
    rowsets = [
        Rowset(
            [column.name for column in result.columns],
            [column.sql_type for column in result.columns],
            result.rows,
        )
        for result in results
    ]
    return Answer(rowsets, session.messages[before:])


def clear_up(pool, case):
    for batch in case.get("teardown", ()):
        with pool.session() as session, contextlib.suppress(SqlError):
            session.run(batch)


@pytest.mark.parametrize("case", [parameter(case) for case in CASES])
def test_the_pool_answers_as_the_corpus_says(pool, case):
    clear_up(pool, case)
    try:
        with pool.session() as session:
            assert fault(case, partial(run, session), same_type) == ""
    finally:
        clear_up(pool, case)
