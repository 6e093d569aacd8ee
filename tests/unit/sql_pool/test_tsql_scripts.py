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


def test_a_global_temporary_table_is_refused_wherever_it_stands(session, error_number):
    assert error_number("SELECT * FROM ##t") == 103010


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
