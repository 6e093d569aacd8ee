"""Temporary tables, views, variables and procedures as the scripts of data engineers use them."""

import pytest


def test_a_column_is_named_by_its_temporary_table(session, rows):
    session.run("CREATE TABLE #a (id int, v int); INSERT INTO #a SELECT 1, 2")
    session.run("CREATE TABLE #b (id int, w int); INSERT INTO #b SELECT 1, 3")
    joined = "SELECT #a.*, #b.w FROM #a JOIN #b ON #a.id = #b.id WHERE #b.w > 2 ORDER BY #b.w"
    assert rows(joined) == [(1, 2, 3)]
    session.run("UPDATE #a SET v = #b.w FROM #a JOIN #b ON #a.id = #b.id")
    assert rows("SELECT #a.v FROM #a") == [(3,)]
    session.run("DELETE #a FROM #a JOIN #b ON #a.id = #b.id")
    assert rows("SELECT COUNT(*) AS n FROM #a") == [(0,)]


def test_a_reserved_word_behind_its_sign_names_a_temporary_table(session, rows):
    session.run("CREATE TABLE #order (a int); INSERT INTO #order (a) VALUES (1)")
    session.run("SELECT a INTO #group FROM #order; UPDATE #order SET a = 2 WHERE #order.a = 1")
    assert rows("SELECT o.a, g.a AS b FROM #order AS o CROSS JOIN #group AS g") == [(2, 1)]
    session.run("TRUNCATE TABLE #order; DROP TABLE #order; DROP TABLE IF EXISTS #group")


def test_a_view_takes_no_temporary_table(session, error_number):
    session.run("CREATE TABLE #t (a int)")
    assert error_number("CREATE VIEW dbo.v AS SELECT a FROM (SELECT a FROM #t) AS q") == 4508


def test_a_global_temporary_table_is_refused_wherever_it_stands(session, error_number):
    assert error_number("SELECT * FROM ##t") == 103010


@pytest.mark.parametrize(
    "batch",
    [
        "SELECT @ a", "SELECT @'a'", "SELECT @[a]", 'SELECT @"a"', "DECLARE @ b int",
        "SELECT @@ ROWCOUNT", "SELECT @@[ROWCOUNT]", "SELECT * FROM # t", "SELECT * FROM #'t'",
        "SELECT * FROM #[t]",
    ],
)  # fmt: skip
def test_the_sign_of_a_variable_or_temporary_table_stands_at_its_name(session, error_number, batch):
    session.run("CREATE TABLE #t (a int)")
    assert error_number(f"DECLARE @a int = 1; {batch}") == 103010


@pytest.mark.parametrize("columns", ["", "(id, v)"])
def test_the_star_of_a_view_means_the_columns_of_its_definition(
    session, rows, error_number, columns
):
    session.run("CREATE TABLE dbo.b (id int, v int); INSERT INTO dbo.b SELECT 1, 2")
    session.run(f"CREATE VIEW dbo.v {columns} AS SELECT * FROM dbo.b")
    session.run("ALTER TABLE dbo.b ADD z int")
    assert rows("SELECT * FROM dbo.v") == [(1, 2)]
    assert error_number("SELECT z FROM dbo.v") == 207
    session.run("ALTER TABLE dbo.b DROP COLUMN z; ALTER TABLE dbo.b DROP COLUMN v")
    assert error_number("SELECT * FROM dbo.v") == 4502


def test_the_catalog_tells_the_column_of_a_distribution(session, rows):
    session.run("CREATE TABLE dbo.t (a int, b int) WITH (DISTRIBUTION = HASH(b), HEAP)")
    assert rows(
        "SELECT c.name, p.distribution_ordinal FROM sys.pdw_column_distribution_properties AS p "
        "JOIN sys.columns AS c ON c.object_id = p.object_id AND c.column_id = p.column_id "
        "ORDER BY c.column_id"
    ) == [("a", 0), ("b", 1)]


@pytest.mark.parametrize(
    ("argument", "source"), [("'x'", "varchar"), ("N'x'", "nvarchar"), ("5000000000", "numeric")]
)
def test_an_argument_that_cannot_be_converted_names_both_types(session, error_of, argument, source):
    session.run("CREATE PROCEDURE dbo.p @a int AS SELECT @a AS a")
    error = error_of(session, f"EXEC dbo.p {argument}")
    assert (error.number, error.message) == (8114, f"Error converting data type {source} to int.")


def test_a_caught_error_leaves_no_rows_behind(rows):
    batch = "SELECT 1 UNION ALL SELECT 2; SELECT 1 / 0"
    assert rows(f"BEGIN TRY {batch} END TRY BEGIN CATCH SELECT @@ROWCOUNT AS n END CATCH") == [(0,)]


def test_a_negative_state_is_one(error_of, session):
    assert error_of(session, "RAISERROR('x', 16, -1)").state == 1


def test_an_escape_of_several_characters_is_refused(error_number):
    assert error_number("SELECT 1 AS x WHERE 'a' LIKE 'a' ESCAPE 'ab'") == 506


@pytest.mark.parametrize(
    "batch",
    [
        "DECLARE @end int = 3; SELECT @end",
        "DECLARE @set int; SET @set = 3; SELECT @set",
        "DECLARE @begin int = 3, @if int = 0; IF @begin = 3 SELECT @begin ELSE SELECT @if",
        "DECLARE @while int = 0; WHILE @while < 3 SET @while += 1; SELECT @while",
        "DECLARE @update int = 1, @delete int = 2; SELECT @update + @delete AS [order]",
        "DECLARE @exec nvarchar(50) = N'SELECT 3'; EXEC sp_executesql @exec",
        "DECLARE @out int; EXEC sp_executesql N'SET @b = 3', N'@b int OUT', @out OUTPUT; "
        "SELECT @out",
        "DECLARE @output int; EXEC sp_executesql N'SET @b = 3', N'@b int OUT', "
        "@b = @output OUTPUT; SELECT @output",
    ],
)
def test_a_reserved_word_behind_its_sign_names_a_variable(rows, batch):
    assert rows(batch) == [(3,)]


def test_a_part_of_a_date_is_no_column_of_a_grouped_query(session, rows):
    session.run("CREATE TABLE dbo.visits (visitor int, day datetime2(0))")
    session.run(
        "INSERT INTO dbo.visits SELECT 1, '2024-01-01 10:00' UNION ALL SELECT 1, '2024-01-03 10:01'"
    )
    assert rows(
        "SELECT visitor, DATEDIFF(second, MIN(day), MAX(day)) AS s, DATEPART(day, MAX(day)) AS d "
        "FROM dbo.visits GROUP BY visitor HAVING DATEDIFF(day, MIN(day), MAX(day)) > 1 "
        "ORDER BY DATEADD(day, 1, MAX(day))"
    ) == [(1, 172860, 3)]


def test_a_column_with_nulls_is_not_altered_to_refuse_them(session, error_of):
    session.run("CREATE TABLE dbo.t (a int); INSERT INTO dbo.t SELECT NULL")
    error = error_of(session, "ALTER TABLE dbo.t ALTER COLUMN a int NOT NULL")
    assert error.number == 515
    assert "column 'a', table 't';" in error.message


def test_a_condition_behind_an_unconditional_match_is_refused(session, error_number):
    session.run("CREATE TABLE dbo.t (a int); CREATE TABLE dbo.s (a int)")
    assert (
        error_number(
            "MERGE dbo.t USING dbo.s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = 1 "
            "WHEN MATCHED AND s.a > 1 THEN DELETE;"
        )
        == 5324
    )


def test_a_drop_of_nothing_has_severity_11(session, error_of):
    assert error_of(session, "DROP TABLE dbo.nothing").severity == 11


def test_an_integer_compares_with_a_binary_value(session, rows):
    session.run("CREATE TABLE dbo.t (flags int, code varbinary(4)); INSERT INTO dbo.t SELECT 5, 1")
    assert rows(
        "SELECT flags FROM dbo.t WHERE flags & 0x04 = 0x04 AND code = 1 AND code IN (1, 2) "
        "AND code BETWEEN 0 AND 0x01"
    ) == [(5,)]


def test_a_text_does_not_compare_with_a_binary_value(session, error_of):
    error = error_of(session, "SELECT 1 AS x WHERE 0x41 < 'A'")
    assert (error.number, error.message) == (
        402,
        "The data types varbinary and varchar are incompatible in the less than operator.",
    )


def test_an_identity_column_takes_no_nulls(session, rows, error_number):
    session.run("CREATE TABLE dbo.t (id int IDENTITY(1, 1), v int)")
    null = "COLUMNPROPERTY(OBJECT_ID('dbo.t'), 'id', 'AllowsNull')"
    assert rows(f"SELECT {null} AS n") == [(0,)]
    assert error_number("CREATE TABLE dbo.u (id int IDENTITY(1, 1) NULL)") == 8147


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ("EXEC nothing", "Could not find stored procedure 'nothing'."),
        ("EXEC dbo.nothing", "Could not find stored procedure 'dbo.nothing'."),
        ("INSERT INTO nothing SELECT 1", "Invalid object name 'nothing'."),
        ("DELETE FROM dbo.nothing", "Invalid object name 'dbo.nothing'."),
    ],
)
def test_an_error_names_an_object_as_it_was_written(session, error_of, batch, message):
    assert error_of(session, batch).message == message
