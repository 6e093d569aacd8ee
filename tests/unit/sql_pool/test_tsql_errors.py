"""Error numbers, and what @@ROWCOUNT and @@ERROR are behind each kind of statement."""

import pytest

from bikecast.core.sql import SqlError

#: Statements before, and the statement that fails, by the number of its error.
TABLE = "CREATE TABLE dbo.t (id int, s varchar(5))"
COUNTED = "CREATE TABLE dbo.t (id int IDENTITY(1,1), s varchar(5)) WITH (HEAP)"
FAILURES = [
    (10756, TABLE, "SELECT SUM(id) OVER (ROWS UNBOUNDED PRECEDING) FROM dbo.t"),
    (10759, TABLE, "SELECT COUNT(DISTINCT id) OVER () FROM dbo.t"),
    (130, TABLE, "SELECT MAX((SELECT 1)) FROM dbo.t"),
    (103010, TABLE, "SELECT id FROM dbo.t WHERE id IN ()"),
    (103010, TABLE, "SELECT id FROM dbo.t ORDER BY id UNION SELECT 2"),
    (207, TABLE, "SELECT id FROM dbo.t UNION SELECT 2 ORDER BY s"),
    (207, TABLE, "SELECT TRUE AS a"),
    (104, TABLE, "SELECT id FROM dbo.t UNION SELECT 2 ORDER BY id + 1"),
    (1013, TABLE, "SELECT 1 FROM dbo.t, dbo.t"),
    (1011, TABLE, "SELECT 1 FROM dbo.t AS a, dbo.t AS a"),
    (8154, TABLE, "DELETE FROM dbo.t FROM dbo.t AS a JOIN dbo.t AS b ON a.id = b.id"),
    (8158, TABLE, "SELECT 1 FROM (SELECT id, s FROM dbo.t) AS q(a)"),
    (8159, TABLE, "SELECT 1 FROM (SELECT id FROM dbo.t) AS q(a, b)"),
    (4502, TABLE, "CREATE VIEW dbo.v (a, b) AS SELECT id FROM dbo.t"),
    (8158, TABLE, "CREATE VIEW dbo.v (a) AS SELECT id, s FROM dbo.t"),
    (8101, COUNTED, "INSERT INTO dbo.t VALUES (1, 'x')"),
    (8148, TABLE, "CREATE TABLE dbo.u (id int NULL NOT NULL)"),
    (8147, TABLE, "CREATE TABLE dbo.u (id int NULL IDENTITY(1,1))"),
    (8146, "CREATE PROCEDURE dbo.p AS SELECT 1 AS a", "EXEC dbo.p 1"),
    (179, "CREATE PROCEDURE dbo.p @a int OUTPUT AS SET @a = 1", "EXEC dbo.p 1 OUTPUT"),
    (8115, TABLE, "SELECT CAST('1000' AS decimal(3,0)) AS a"),
    (8114, TABLE, "SELECT CAST('1.2.3' AS decimal(3,0)) AS a"),
    (1911, TABLE, "CREATE INDEX i ON dbo.t (nope)"),
    (1911, TABLE, "CREATE STATISTICS i ON dbo.t (nope)"),
    (1927, f"{TABLE}; CREATE STATISTICS i ON dbo.t (id)", "CREATE STATISTICS i ON dbo.t (s)"),
    (2727, TABLE, "ALTER INDEX i ON dbo.t REBUILD"),
    (111, TABLE, "SELECT 1 AS a; CREATE SCHEMA other"),
    (103010, TABLE, "DROP TABLE dbo.t, dbo.u"),
    (8115, TABLE, "SELECT CAST(922337203685477.5808 AS money) AS a"),
    (8115, TABLE, "SELECT CAST('-922337203685477.5809' AS money) AS a"),
    (242, TABLE, "SELECT CAST('9999-12-31 23:59:59.999' AS datetime) AS a"),
    (402, TABLE, "SELECT 'x' + 0x41 AS a"),
    (2786, TABLE, "RAISERROR('%d', 16, 1, 'x')"),
    (2786, TABLE, "RAISERROR('%s', 16, 1, 5)"),
    (2786, TABLE, "DECLARE @v varchar(5) = 'x'; RAISERROR('%d', 16, 1, @v)"),
    (157, TABLE, "UPDATE dbo.t SET id = MAX(id)"),
    (4108, TABLE, "UPDATE dbo.t SET id = RANK() OVER (ORDER BY s)"),
    (1023, TABLE, "SELECT DATEADD('day', 1, '2024-01-01') AS a"),
    (155, TABLE, "SELECT DATEADD(dayz, 1, '2024-01-01') AS a"),
    (174, TABLE, "SELECT STRING_AGG(s) FROM dbo.t"),
    (103010, TABLE, "SELECT TOP 1 DISTINCT id FROM dbo.t"),
    (103010, TABLE, "SELECT id FROM dbo.t UNION DISTINCT SELECT 1"),
    (169, TABLE, "SELECT id FROM dbo.t ORDER BY id, id DESC"),
    (169, TABLE, "SELECT id, s FROM dbo.t ORDER BY 1, id"),
    (208, TABLE, "SELECT * FROM dbo.nofunction(1)"),
    (1060, TABLE, "DECLARE @n int; SELECT TOP (@n) id FROM dbo.t"),
    (2705, TABLE, "SELECT id AS x, s AS x INTO dbo.u FROM dbo.t"),
    (1038, TABLE, "SELECT id + 1 INTO dbo.u FROM dbo.t"),
    (2748, TABLE, "RAISERROR('%d', 16, 1, 1.5)"),
]


@pytest.mark.parametrize(("number", "before", "batch"), FAILURES)
def test_a_failing_statement_has_the_number_of_sql_server(session, number, before, batch):
    session.run(before)
    with pytest.raises(SqlError) as caught:
        session.run(batch)
    assert caught.value.number == number


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("SET @x = 5", 1),
        ("SELECT @x = 5", 1),
        ("DECLARE @y int = 1", 1),
        ("DECLARE @y int", 3),
        ("SELECT 'text' AS a", 1),
        ("PRINT 'x'", 0),
        ("SET NOCOUNT ON", 0),
        ("RAISERROR('x', 10, 1)", 0),
        ("IF 1 = 0 SET @x = 1", 0),
        ("BEGIN TRANSACTION; COMMIT", 0),
        ("CREATE TABLE #u (a int)", 0),
    ],
)
def test_rowcount_is_what_the_statement_before_set(rows, statement, count):
    three = "SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3"
    batch = f"DECLARE @x int; {three}; {statement}; SELECT @@ROWCOUNT AS n"
    assert rows(batch) == [(count,)]


def test_error_is_that_of_the_statement_before_alone(session):
    results = session.run(
        "BEGIN TRY SELECT 1 / 0 AS a END TRY BEGIN CATCH SELECT @@ERROR AS e; SELECT @@ERROR AS f; "
        "SELECT ERROR_NUMBER() AS n END CATCH; SELECT @@ERROR AS g"
    )
    assert [result.rows for result in results] == [[(8134,)], [(0,)], [(8134,)], [(0,)]]


def test_an_error_keeps_the_severity_of_raiserror(rows):
    caught = "BEGIN CATCH SELECT ERROR_SEVERITY() AS v, ERROR_STATE() AS s END CATCH"
    assert rows(f"BEGIN TRY RAISERROR('x', 11, 7) END TRY {caught}") == [(11, 7)]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM dbo.t FROM dbo.t AS a JOIN dbo.u AS b ON b.id = a.id",
        "DELETE dbo.t FROM dbo.u AS b JOIN dbo.t AS a ON b.id = a.id",
        "UPDATE dbo.t SET s = NULL FROM dbo.t AS a WHERE a.id = 1",
        "UPDATE dbo.t SET s = NULL FROM dbo.u AS b WHERE b.id = dbo.t.id",
    ],
)
def test_the_target_of_a_change_is_its_one_mention_in_from(session, rows, change):
    session.run("CREATE TABLE dbo.t (id int, s varchar(5)); CREATE TABLE dbo.u (id int)")
    session.run("INSERT INTO dbo.t SELECT 1, 'a' UNION ALL SELECT 2, 'b'")
    session.run("INSERT INTO dbo.u SELECT 1")
    assert rows(f"{change}; SELECT @@ROWCOUNT AS n") == [(1,)]
    assert rows("SELECT id FROM dbo.t WHERE s IS NOT NULL") == [(2,)]


def test_a_default_keeps_the_name_that_constraint_gives_it(session, rows):
    session.run("CREATE TABLE dbo.t (id int, s varchar(5) CONSTRAINT first DEFAULT 'q')")
    session.run("ALTER TABLE dbo.t ADD n int CONSTRAINT second DEFAULT 7")
    names = "SELECT name FROM sys.default_constraints ORDER BY name"
    assert rows(names) == [("first",), ("second",)]
    session.run("ALTER TABLE dbo.t DROP CONSTRAINT first")
    assert rows(names) == [("second",)]


@pytest.mark.parametrize(
    "rest", ["ALL ON dbo.t REBUILD", "i ON dbo.t REBUILD PARTITION = 5", "i ON dbo.t REORGANIZE"]
)
def test_an_index_is_rebuilt(session, rows, rest):
    session.run(
        "CREATE TABLE dbo.t (id int); CREATE INDEX i ON dbo.t (id); INSERT INTO dbo.t SELECT 1"
    )
    assert rows(f"ALTER INDEX {rest}; SELECT id FROM dbo.t") == [(1,)]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("CAST('300' AS tinyint)", "The conversion of the varchar value '300' overflowed an INT1 "
         "column. Use a larger integer column."),
        ("CAST(123.45 AS decimal(4,2))", "Arithmetic overflow error converting numeric to data "
         "type numeric."),
        ("CAST(1000 AS decimal(3,0))", "Arithmetic overflow error converting int to data type "
         "numeric."),
        ("CAST(1e9 AS decimal(3,0))", "Arithmetic overflow error converting float to data type "
         "numeric."),
        ("CAST('1000' AS decimal(3,0))", "Arithmetic overflow error converting varchar to data "
         "type numeric."),
    ],
)  # fmt: skip
def test_the_message_of_an_error_is_that_of_sql_server(rows, expression, message):
    caught = "BEGIN CATCH SELECT ERROR_MESSAGE() AS m END CATCH"
    assert rows(f"BEGIN TRY SELECT {expression} AS a END TRY {caught}") == [(message,)]


@pytest.mark.parametrize("table", ["dbo.t", "#t"])
def test_a_table_is_altered_more_than_once(rows, table):
    batch = (
        f"CREATE TABLE {table} (a int); ALTER TABLE {table} ADD b int CONSTRAINT one DEFAULT 1; "
        f"ALTER TABLE {table} ADD c int; ALTER TABLE {table} ADD CONSTRAINT two DEFAULT 2 FOR c; "
        f"INSERT INTO {table} (a) SELECT 0; ALTER TABLE {table} DROP CONSTRAINT one; "
        f"INSERT INTO {table} (a) SELECT (SELECT MAX(a) + 1 FROM {table}); SELECT * FROM {table} "
        "ORDER BY a"
    )
    assert rows(batch) == [(0, 1, 2), (1, None, 2)]
