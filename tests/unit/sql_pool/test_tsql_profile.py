"""What a dedicated pool refuses is refused here, and the error names it."""

import pytest

from bikecast.core.sql import SqlError

REFUSED = [
    ("SELECT a FROM t ORDER BY a OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", "OFFSET"),
    ("SELECT a FROM t FOR XML AUTO", "FOR XML"),
    ("SELECT a FROM t FOR JSON PATH", "FOR JSON"),
    ("SELECT TOP 5 PERCENT a FROM t", "PERCENT"),
    ("SELECT * FROM otherdb.dbo.t", "cross-database"),
    ("SELECT * FROM (VALUES (1), (2)) AS v (x)", "VALUES as a table source"),
    ("SELECT * FROM OPENROWSET('x', 'y', 'z') AS o", "OPENROWSET"),
    ("INSERT INTO t VALUES (1), (2)", "More than one row in VALUES"),
    ("INSERT INTO t VALUES (1 + 1)", "constant literal values"),
    ("INSERT INTO t VALUES (SYSUTCDATETIME())", "constant literal values"),
    ("INSERT INTO t EXEC dbo.p", r"INSERT \.\.\. EXEC"),
    ("INSERT INTO t DEFAULT VALUES", "DEFAULT VALUES"),
    ("WITH c AS (SELECT 1 AS a) DELETE FROM t", "common table expression before DELETE"),
    ("WITH c AS (SELECT 1 AS a) UPDATE t SET a = 1", "common table expression before UPDATE"),
    ("UPDATE t SET a = 1 OUTPUT inserted.a", "OUTPUT"),
    ("DECLARE @x TABLE (a int)", "table variable"),
    ("SELECT SCOPE_IDENTITY()", "SCOPE_IDENTITY"),
    ("SELECT @@IDENTITY", "@@IDENTITY"),
    ("SELECT CHOOSE(1, 'a')", "CHOOSE"),
    ("SELECT PARSE('1' AS int)", "PARSE"),
    ("SELECT STRING_ESCAPE('a', 'json')", "STRING_ESCAPE"),
    ("USE master", "USE"),
    ("SAVE TRANSACTION s", "savepoint"),
    ("BEGIN TRANSACTION named", "named"),
    ("BEGIN TRAN; BEGIN TRAN", "nested"),
    ("BEGIN TRAN; CREATE TABLE u (a int)", "within a transaction"),
    ("BEGIN TRAN; DROP TABLE t", "within a transaction"),
    ("BEGIN TRAN; TRUNCATE TABLE t", "within a transaction"),
    ("CREATE TABLE u (a int CHECK (a > 0))", "CHECK"),
    ("CREATE TABLE u (a int PRIMARY KEY)", "PRIMARY KEY"),
    ("CREATE TABLE u (a int UNIQUE)", "UNIQUE"),
    ("CREATE TABLE u (a int, FOREIGN KEY (a) REFERENCES t (a))", "foreign key"),
    ("CREATE TABLE u (a int REFERENCES t (a))", "foreign key"),
    ("CREATE TABLE u (a int, b AS a + 1)", "computed column"),
    ("CREATE TABLE u (a datetime2 DEFAULT GETDATE())", "constant"),
    ("CREATE TABLE u (a xml)", "xml"),
    ("CREATE TABLE u (a decimal(5, 2, 1))", "near '1'"),
    ("CREATE TABLE u (a varchar(5, 6))", "near '6'"),
    ("SELECT CAST(1 AS varchar(5, 6))", "near '6'"),
    ("CREATE TABLE u (a text)", "text"),
    ("CREATE TABLE u (a sql_variant)", "sql_variant"),
    ("CREATE TABLE u (a varbinary(max))", "columnstore"),
    ("CREATE TABLE u (a int) WITH (DISTRIBUTION = HASH(b), HEAP)", "'b' does not exist"),
    ("CREATE TABLE u (a int) WITH (HEAP, HEAP)", "twice"),
    ("CREATE TABLE u WITH (HEAP) AS SELECT 1 AS a", "without a DISTRIBUTION"),
    ("CREATE TRIGGER tr ON t AFTER INSERT AS SELECT 1", "trigger"),
    ("CREATE SEQUENCE s", "sequence"),
    ("DECLARE c CURSOR FOR SELECT 1", "A cursor is not supported in a dedicated SQL pool"),
    ("DECLARE @c CURSOR", "A cursor is not supported in a dedicated SQL pool"),
    ("BULK INSERT t FROM 'a.csv'", "BULK INSERT"),
    ("SELECT @@TEXTSIZE", "@@TEXTSIZE is not supported in a dedicated SQL pool"),
    ("EXEC sp_spaceused 't'", "although a dedicated SQL pool has it"),
    ("sp_addrolemember 'db_owner', 'me'", "although a dedicated SQL pool has it"),
    ("CREATE SYNONYM s FOR t", "synonym"),
    ("CREATE OR ALTER PROCEDURE p AS SELECT 1", "CREATE OR ALTER"),
    ("CREATE PROCEDURE p @a int = 1 AS SELECT 1", "default value"),
    ("CREATE PROCEDURE p WITH RECOMPILE AS SELECT 1", "option"),
    ("CREATE TABLE ##g (a int)", "global temporary"),
    ("SET ROWCOUNT 5", "SET ROWCOUNT"),
    # Other dialects, which the parser underneath would read.
    ("SELECT a FROM t LIMIT 1", "LIMIT"),
    ("SELECT a, FROM t", "FROM"),
    ("SELECT a FROM t ORDER BY a NULLS LAST", "NULLS"),
    ("SELECT a::int FROM t", "Incorrect syntax"),
    ("SELECT a || 'x' FROM t", "Incorrect syntax"),
    ("SELECT DATE '2024-01-01'", "not supported"),
    ("SELECT INTERVAL '1' DAY", "not supported"),
    ("SELECT a FROM t QUALIFY a = 1", "QUALIFY|Incorrect syntax"),
    ("SELECT a FROM t JOIN t AS b USING (a)", "USING"),
    ("SELECT a FROM t NATURAL JOIN t AS b", "NATURAL"),
    ("SELECT a FROM t WHERE a ILIKE 'x'", "Incorrect syntax|not supported|non-boolean"),
    ("SELECT a == 1 FROM t", "Incorrect syntax"),
    ("SELECT a = 1, b FROM t WHERE a", "non-boolean"),
    ("FROM t SELECT a", "Incorrect syntax"),
    ("FROM t", "Incorrect syntax"),
    ("SELECT read_csv('x')", "not a recognized"),
    ("SELECT * FROM read_csv('/etc/passwd')", "not supported"),
    ("PRAGMA version", "Incorrect syntax"),
    ("ATTACH 'x.db'", "Incorrect syntax"),
    ("SELECT * FROM bikecast.objects", "Invalid object name"),
    ("SELECT * FROM duckdb_tables()", "not supported"),
    ("SELECT 'a", "Unclosed"),
    ("SELECT (1", "Incorrect syntax"),
    ("SELECT", "Incorrect syntax"),
]  # fmt: skip


@pytest.fixture(scope="module")
def table_session(shared_session):
    shared_session.run("CREATE TABLE dbo.t (a int) WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)")
    return shared_session


@pytest.mark.parametrize(("batch", "reason"), REFUSED, ids=[batch[:40] for batch, _ in REFUSED])
def test_a_construct_is_refused_by_name(table_session, batch, reason):
    with pytest.raises(SqlError, match=f"(?i){reason}"):
        table_session.run(batch)


def test_a_parse_error_has_the_number_and_the_place_of_a_dedicated_pool(table_session):
    with pytest.raises(SqlError) as caught:
        table_session.run("SELECT 1 AS a;\nSELECT a FROM t LIMIT 1")
    assert caught.value.number == 103010
    assert caught.value.message.startswith("Parse error at line: 2, column: ")
    assert "'LIMIT'" in caught.value.message


def test_nothing_of_a_batch_with_a_parse_error_runs(table_session):
    with pytest.raises(SqlError):
        table_session.run("INSERT INTO t VALUES (1); SELECT FROM")
    assert table_session.run("SELECT COUNT(*) FROM t")[0].rows == [(0,)]


def test_options_at_the_value_that_they_have_anyway_are_taken(table_session):
    options = "SET NOCOUNT ON; SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF; SET ROWCOUNT 0; "
    assert table_session.run(options + "SELECT 1 AS a")[0].rows == [(1,)]
