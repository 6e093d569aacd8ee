"""New names and schemas of tables, views, procedures and columns."""

import pytest

TABLE = (
    "CREATE TABLE s.t (id int IDENTITY(1, 1), a varchar(9) NOT NULL DEFAULT 'x', b int, "
    "CONSTRAINT uq UNIQUE (a) NOT ENFORCED) "
    "WITH (DISTRIBUTION = HASH(b, a), CLUSTERED INDEX (a DESC))"
)


@pytest.fixture
def table(session):
    session.run("CREATE SCHEMA s AUTHORIZATION [dbo]")
    session.run(TABLE)
    session.run("INSERT INTO s.t (a, b) VALUES ('one', 1)")


def test_a_renamed_column_keeps_rows_default_keys_index_and_distribution(table, session, rows):
    session.run("EXEC sp_rename 's.t.a', 'Name', 'COLUMN'")
    session.run("INSERT INTO s.t (b) VALUES (2)")
    assert rows("SELECT id, name, b FROM s.t ORDER BY id") == [(1, "one", 1), (2, "x", 2)]
    assert rows(
        "SELECT c.name, d.distribution_ordinal FROM sys.pdw_column_distribution_properties AS d "
        "JOIN sys.columns AS c ON c.object_id = d.object_id AND c.column_id = d.column_id "
        "WHERE d.distribution_ordinal > 0 ORDER BY 2"
    ) == [("b", 1), ("Name", 2)]
    assert rows(
        "SELECT i.name, c.name, ic.is_descending_key FROM sys.index_columns AS ic "
        "JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id "
        "JOIN sys.indexes AS i ON i.object_id = ic.object_id AND i.index_id = ic.index_id "
        "WHERE i.name = 'uq' OR i.type = 1 ORDER BY i.index_id"
    ) == [("ClusteredIndex_1001", "Name", True), ("uq", "Name", False)]


def test_sp_rename_returns_zero_and_warns(table, session, rows):
    assert rows("DECLARE @r int; EXEC @r = sp_rename '[s].[t].[b]', 'c', 'column'; SELECT @r") == [
        (0,)
    ]
    assert "Caution: Changing any part of an object name" in session.messages[-1]


def test_a_table_moves_to_another_schema_with_rows_and_identity(table, session, rows):
    session.run("ALTER SCHEMA dbo TRANSFER OBJECT::s.t")
    session.run("INSERT INTO dbo.t (b) VALUES (2)")
    assert rows("SELECT id, a, b FROM t ORDER BY id") == [(1, "one", 1), (2, "x", 2)]
    assert rows("SELECT OBJECT_ID('s.t')") == [(None,)]
    assert rows("SELECT name FROM sys.columns WHERE is_nullable = 0 AND name = 'a'") == [("a",)]


def test_views_and_procedures_move_too(table, session, rows):
    session.run("CREATE VIEW v AS SELECT b FROM s.t")
    session.run("CREATE PROCEDURE p AS SELECT b FROM s.t")
    session.run("ALTER SCHEMA s TRANSFER v")
    session.run("ALTER SCHEMA s TRANSFER dbo.p")
    assert rows("SELECT b FROM s.v") == rows("EXEC s.p") == [(1,)]


def test_the_status_of_sp_executesql_is_zero(rows):
    assert rows("DECLARE @r int; EXEC @r = sp_executesql N'PRINT 1'; SELECT @r") == [(0,)]


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("EXEC sp_rename 's.t.nope', 'c', 'COLUMN'", 15248),
        ("EXEC sp_rename 's.nope.a', 'c', 'COLUMN'", 15248),
        ("EXEC sp_rename 'other.s.t.a', 'c', 'COLUMN'", 103010),
        ("EXEC sp_rename 's.t.a', 'B', 'COLUMN'", 15335),
        ("EXEC sp_rename 's.t.a', '', 'COLUMN'", 15004),
        ("EXEC sp_rename 's.t', 'u', 'OBJECT'", 103010),
        ("EXEC sp_rename 's.t.a', 'c'", 201),
        ("BEGIN TRAN; EXEC sp_rename 's.t.a', 'c', 'COLUMN'", 111212),
        ("ALTER SCHEMA nope TRANSFER s.t", 15151),
        ("ALTER SCHEMA dbo TRANSFER s.nope", 15151),
        ("CREATE TABLE t (a int); ALTER SCHEMA dbo TRANSFER s.t", 15530),
        ("BEGIN TRAN; ALTER SCHEMA dbo TRANSFER s.t", 111212),
        ("ALTER SCHEMA dbo TRANSFER TYPE::s.t", 103010),
        ("CREATE SCHEMA s2 AUTHORIZATION nobody", 15151),
    ],
)
def test_a_name_that_cannot_be_given_changes_nothing(table, error_number, rows, batch, number):
    assert error_number(batch) == number
    assert rows("SELECT id, a, b FROM s.t") == [(1, "one", 1)]
