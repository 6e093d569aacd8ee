"""Texts of a grammar reach execution and never show an error that is not SQL Server's."""

import collections
import sys

import pytest

from resources.sql_pool.port import SqlError
from tests.unit.sql_pool.tsql_grammar import Grammar

INTERNAL_ERROR = 110802
BIND_ERRORS = {206, 207, 402, 529, 8116, 8117, 103010}
TABLES = (
    "CREATE TABLE dbo.t (id int NOT NULL, n bigint, s varchar(10), d decimal(9,2), f float, "
    "dt datetime, vb varbinary(4), b bit)",
    "CREATE TABLE dbo.u (id int, s varchar(10))",
    "CREATE VIEW dbo.v AS SELECT * FROM dbo.t",
    "INSERT INTO dbo.t SELECT 1, 5, 'a', 1.5, 2.5, '2024-02-29', 0x01, 1 UNION ALL "
    "SELECT 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL UNION ALL "
    "SELECT 3, -1, '12', 0, 0, '1999-12-31 23:59', 0x0203, 0",
)


def outcomes(session, seed, count):
    """How many texts ended in which error number (0: none)."""
    grammar, found, internal = Grammar(seed), collections.Counter(), []
    for batch in TABLES:
        session.run(batch)
    for _ in range(count):
        batch = grammar.batch()
        try:
            session.run(batch)
            found[0] += 1
        except SqlError as error:
            found[error.number] += 1
            if error.number == INTERNAL_ERROR:
                internal.append(f"{error}\n{batch}")
    assert not internal, "\n".join(internal[:5])
    return found


def test_made_texts_end_in_results_or_in_errors_of_sql_server(session):
    assert outcomes(session, seed=7, count=60)[0] > 10


@pytest.mark.slow
def test_ten_thousand_made_texts_end_in_results_or_in_errors_of_sql_server(session, capsys):
    found = outcomes(session, seed=20240229, count=10_000)
    executed = sum(count for number, count in found.items() if number not in BIND_ERRORS)
    with capsys.disabled():
        sys.stdout.write(f"\n{executed} of 10000 texts were executed: {dict(found)}\n")
    assert found[0] > 2_000
