"""Texts of a grammar reach execution and never show an error that is not SQL Server's."""

import collections
import sys

import duckdb
import pytest

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.errors import INTERNAL_ERROR
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from tests.unit.sql_pool.tsql_grammar import Grammar

TEXTS = 10_000
LAYERS = ("parse", "profile", "bind", "execute", "result")
TABLES = (
    "CREATE TABLE dbo.t (id int NOT NULL, n bigint, s varchar(10), w nvarchar(20), d decimal(9,2), "
    "f float, dt datetime, d2 datetime2(3), da date, vb varbinary(4), b bit)",
    "CREATE TABLE dbo.u (id int, s varchar(10))",
    "CREATE VIEW dbo.v AS SELECT * FROM dbo.t",
    "CREATE PROCEDURE dbo.p @a decimal(9,2) AS BEGIN SELECT @a + 1 AS x; RETURN 3 END",
    "INSERT INTO dbo.t SELECT 1, 5, 'a', N'é', 1.5, 2.5, '2024-02-29', '2024-02-29 12:30:15.123', "
    "'2024-02-29', 0x01, 1 UNION ALL "
    "SELECT 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL UNION ALL "
    "SELECT 3, -1, '12', N'a,b', 0, 0, '1999-12-31 23:59', '0001-01-01', '9999-12-31', 0x0203, 0",
)


def layer(batch, error):
    """How far a batch came: errors of the run are DuckDB's, or THROW's."""
    if error is None:
        return "result"
    try:
        parse_batch(batch)
    except SqlError as refusal:
        return "profile" if "not supported" in refusal.message else "parse"
    ran = isinstance(error.__cause__, duckdb.Error) or error.number >= 111_000
    return "execute" if ran else "bind"


def run_texts(session, seed, count):
    """The number of texts by the layer that they reached."""
    grammar, found, internal = Grammar(seed), collections.Counter(), []
    for batch in TABLES:
        session.run(batch)
    for _ in range(count):
        batch, error = grammar.batch(), None
        try:
            session.run(batch)
        except SqlError as caught:
            error = caught
            if error.number == INTERNAL_ERROR:
                internal.append(f"{error}\n{batch}")
        found[layer(batch, error)] += 1
        session.messages.clear()
    assert not internal, "\n".join(internal[:5])
    assert session.run("SELECT COUNT(*) AS n FROM dbo.t")[0].rows == [(3,)]
    return found


def test_made_texts_end_in_results_or_in_errors_of_sql_server(session):
    found = run_texts(session, seed=7, count=60)
    assert found["result"] + found["execute"] > 30


@pytest.mark.slow
def test_ten_thousand_made_texts_end_in_results_or_in_errors_of_sql_server(session, capsys):
    found = run_texts(session, seed=20240229, count=TEXTS)
    with capsys.disabled():
        for name in LAYERS:
            sys.stdout.write(f"  {name:8}{found[name]:7}\n")
    assert found["result"] + found["execute"] >= TEXTS / 2
