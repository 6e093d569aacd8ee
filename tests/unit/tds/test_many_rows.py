"""Many rows of one prepared INSERT: fast_executemany and what must hold in spite of it."""

import datetime
import uuid
from decimal import Decimal

import pytest

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)


def insert(connection, statement, rows):
    cursor = connection.cursor()
    cursor.fast_executemany = True
    cursor.executemany(statement, rows)
    return cursor


@pytest.fixture
def many(connection):
    """Makes dbo.many with the columns given, and drops it afterwards."""
    created = []

    def make(columns, name="dbo.many"):
        connection.execute(f"CREATE TABLE {name} ({columns}) WITH (HEAP)")
        created.append(name)
        return connection

    yield make
    connection.autocommit = True
    for name in created:
        connection.execute(f"DROP TABLE IF EXISTS {name}")


def test_every_type_and_null_arrives(many):
    connection = many(
        "i int, g bigint, t nvarchar(20), v varchar(20), x varbinary(8), f float, e decimal(9,2), "
        "b bit, d date, h time(3), m datetime2(3), u uniqueidentifier"
    )
    rows = [
        (
            n,
            n * 10**10,
            f"é{n}",
            f"v{n}",
            bytes([n]),
            n / 4,
            Decimal(n).scaleb(-n % 3),
            n % 2 == 0,
            datetime.date(2024, 1, 1 + n),
            datetime.time(1, 2, n, 500_000),
            datetime.datetime(2024, 1, 1, 2, 3, n, 250_000),
            uuid.UUID(int=n),
        )
        for n in range(5)
    ]
    rows.append((None,) * 12)
    insert(connection, f"INSERT INTO dbo.many VALUES ({', '.join('?' * 12)})", rows)
    found = connection.execute("SELECT * FROM dbo.many ORDER BY i").fetchall()
    assert [tuple(row)[:-1] for row in found] == [rows[-1][:-1], *(row[:-1] for row in rows[:5])]
    assert [uuid.UUID(row[-1]) for row in found[1:]] == [row[-1] for row in rows[:5]]


def test_defaults_constants_and_identities_fill_the_other_columns(many):
    connection = many("id int IDENTITY(5,1), a int, b varchar(5) DEFAULT 'd', c int")
    insert(connection, "INSERT INTO dbo.many (a, c) VALUES (?, -1)", [(n,) for n in range(50)])
    found = connection.execute("SELECT id, a, b, c FROM dbo.many ORDER BY id").fetchall()
    assert [tuple(row) for row in found] == [(n + 5, n, "d", -1) for n in range(50)]


@pytest.mark.parametrize("autocommit", [True, False])
def test_the_rows_before_a_failing_one_stay_unless_a_transaction_ends(many, autocommit):
    connection = many("a int NOT NULL")
    connection.autocommit = autocommit
    with pytest.raises(pyodbc.Error, match="515"):
        insert(connection, "INSERT INTO dbo.many VALUES (?)", [(1,), (2,), (None,), (3,)])
    connection.rollback()
    left = connection.execute("SELECT COUNT(*) FROM dbo.many").fetchval()
    assert left == (2 if autocommit else 0)


def test_a_rollback_takes_all_rows_back(many):
    connection = many("a int")
    connection.autocommit = False
    insert(connection, "INSERT INTO dbo.many VALUES (?)", [(n,) for n in range(20)])
    assert connection.execute("SELECT COUNT(*) FROM dbo.many").fetchval() == 20
    connection.rollback()
    assert connection.execute("SELECT COUNT(*) FROM dbo.many").fetchval() == 0


def test_a_prepared_insert_sees_that_its_table_was_changed(many, connect):
    connection = many("a int, b int")
    cursor = insert(connection, "INSERT INTO dbo.many (b, a) VALUES (?, ?)", [(1, 2), (3, 4)])
    connect().execute("ALTER TABLE dbo.many ADD c int NOT NULL DEFAULT 7")
    cursor.executemany("INSERT INTO dbo.many (b, a) VALUES (?, ?)", [(5, 6), (8, 9)])
    found = connection.execute("SELECT a, b, c FROM dbo.many ORDER BY a").fetchall()
    assert [tuple(row) for row in found] == [(2, 1, 7), (4, 3, 7), (6, 5, 7), (9, 8, 7)]


def test_a_temporary_table_takes_many_rows(many):
    connection = many("a int", name="#many")
    insert(connection, "INSERT INTO #many VALUES (?)", [(n,) for n in range(20)])
    assert connection.execute("SELECT SUM(a) FROM #many").fetchval() == 190


def test_other_prepared_statements_run_row_by_row(many):
    connection = many("a int, n int")
    insert(connection, "INSERT INTO dbo.many VALUES (?, 0)", [(n,) for n in range(5)])
    insert(connection, "UPDATE dbo.many SET n = n + ? WHERE a <= ?", [(1, 1), (10, 3)])
    found = connection.execute("SELECT a, n FROM dbo.many ORDER BY a").fetchall()
    assert [tuple(row) for row in found] == [(0, 11), (1, 11), (2, 10), (3, 10), (4, 0)]


def test_rows_changed_are_counted_one_by_one(many):
    connection = many("a int")
    insert(connection, "INSERT INTO dbo.many VALUES (?)", [(n,) for n in range(5)])
    assert connection.execute("SELECT @@ROWCOUNT").fetchval() == 1
