"""Queries: sources, joins, groups, order, names."""

import pytest


@pytest.fixture(autouse=True)
def a_table(session):
    session.run(
        "CREATE TABLE dbo.t (id int NOT NULL, g varchar(5), v real) "
        "WITH (DISTRIBUTION = HASH(id), HEAP)"
    )
    session.run(
        "INSERT INTO dbo.t SELECT 1, 'a', 1.5 UNION ALL SELECT 2, 'b', 2.5 "
        "UNION ALL SELECT 3, 'A', NULL"
    )


def test_names_ignore_case_and_the_schema_defaults_to_dbo(rows):
    assert rows("SELECT ID FROM T WHERE T.Id = 1") == [(1,)]


def test_nulls_are_the_lowest_values(rows):
    assert rows("SELECT v FROM t ORDER BY v") == [(None,), (1.5,), (2.5,)]
    assert rows("SELECT v FROM t ORDER BY v DESC") == [(2.5,), (1.5,), (None,)]


def test_groups_ignore_case_and_counts_are_int(session):
    (result,) = session.run("SELECT g, COUNT(*) AS n, AVG(id) AS m FROM t GROUP BY g ORDER BY n")
    assert [column.sql_type for column in result.columns] == ["varchar", "int", "int"]
    assert [row[1:] for row in result.rows] == [(1, 2), (2, 2)]


def test_top_takes_the_first_rows_of_the_order(rows):
    assert rows("SELECT TOP 2 id FROM t ORDER BY id DESC") == [(3,), (2,)]
    assert rows("SELECT TOP (?) id FROM t ORDER BY id", 1) == [(1,)]


def test_rows_without_an_order_are_ordered_by_a_subquery(rows):
    assert sorted(rows("SELECT id FROM t ORDER BY (SELECT NULL)")) == [(1,), (2,), (3,)]


def test_joins_keep_both_sides_columns(rows):
    found = rows(
        "SELECT a.*, b.id AS other FROM t AS a LEFT JOIN t AS b ON b.id = a.id + 1 ORDER BY a.id"
    )
    assert [row[-1] for row in found] == [2, 3, None]


def test_a_common_table_expression_can_use_the_one_before(rows):
    assert rows(
        "WITH a AS (SELECT id FROM t), b (x) AS (SELECT id + 1 FROM a) SELECT SUM(x) FROM b"
    ) == [(9,)]


def test_a_correlated_subquery_sees_the_outer_row(rows):
    query = "SELECT id FROM t AS o WHERE EXISTS (SELECT 1 FROM t AS i WHERE i.id > o.id) ORDER BY 1"
    assert rows(query) == [(1,), (2,)]


def test_windows_number_the_rows(rows):
    query = "SELECT id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY id DESC) AS n FROM t ORDER BY id"
    assert rows(query) == [(1, 2), (2, 1), (3, 1)]


def test_a_union_has_the_common_type(session):
    (result,) = session.run("SELECT 1 AS x UNION SELECT 2.5 ORDER BY x")
    assert result.columns[0].sql_type == "decimal(11,1)"
    assert [float(row[0]) for row in result.rows] == [1, 2.5]


def test_columns_may_repeat_or_have_no_name(session):
    (result,) = session.run("SELECT id, id, id + 1 FROM t WHERE id = 1")
    assert [column.name for column in result.columns] == ["id", "id", ""]
    assert result.rows == [(1, 1, 2)]


def test_a_view_is_expanded_when_it_is_used(session, rows):
    session.run("CREATE VIEW dbo.w AS SELECT g, MAX(id) AS m FROM dbo.t GROUP BY g")
    session.run("INSERT INTO t (id, g) VALUES (9, 'a')")
    assert rows("SELECT m FROM w WHERE g = 'a'") == [(9,)]


def test_hints_and_labels_are_read_over(rows):
    assert rows("SELECT COUNT(*) FROM t WITH (NOLOCK) OPTION (LABEL = 'q')") == [(3,)]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("SELECT nope FROM t", 207),
        ("SELECT * FROM nope", 208),
        ("SELECT x.id FROM t", 4104),
        ("SELECT id FROM t AS a, t AS b", 209),
        ("SELECT 1 FROM t AS a, t AS a", 1011),
        ("SELECT g, id FROM t GROUP BY g", 8120),
        ("SELECT g FROM t GROUP BY 1", 164),
        ("SELECT id FROM t WHERE COUNT(*) > 1", 147),
        ("SELECT q.n FROM (SELECT COUNT(*) FROM t) AS q", 8155),
        ("SELECT q.n FROM (SELECT 1 AS n, 2 AS n) AS q", 8156),
        ("SELECT id FROM (SELECT id FROM t ORDER BY id) AS q", 1033),
        ("SELECT id FROM t ORDER BY -1", 408),
        ("SELECT id FROM t ORDER BY id, NULL", 408),
        ("SELECT id FROM t ORDER BY N'id'", 408),
        ("SELECT id FROM t ORDER BY 1 + 1", 408),
        ("DECLARE @p int = 1; SELECT id FROM t ORDER BY @p", 1008),
        ("SELECT DISTINCT g FROM t ORDER BY id", 145),
        ("SELECT id FROM t ORDER BY 2", 108),
        ("SELECT 1 UNION SELECT 1, 2", 205),
        ("SELECT (SELECT id FROM t)", 512),
        ("SELECT (SELECT id, v FROM t)", 116),
        ("SELECT id FROM t WHERE v = CAST('2024-01-01' AS date)", 206),
        ("SELECT id AS x FROM t WHERE x = 1", 207),
    ],
)
def test_an_error_has_the_number_of_sql_server(error_number, query, number):
    assert error_number(query) == number


def test_ties_may_be_counted_by_a_window_function(rows):
    data = "(SELECT 'a' AS g, 1 AS n UNION ALL SELECT 'a', 2 UNION ALL SELECT 'b', 3) AS q"
    batch = (
        f"SELECT TOP (1) WITH TIES g, n FROM {data} "
        "ORDER BY ROW_NUMBER() OVER (PARTITION BY g ORDER BY n DESC)"
    )
    assert sorted(rows(batch)) == [("a", 2), ("b", 3)]


def test_select_into_takes_the_rows_of_a_set_operation(session, rows):
    session.run("SELECT 1 AS a INTO dbo.one UNION ALL SELECT 2 UNION SELECT 2")
    assert rows("SELECT a FROM dbo.one ORDER BY a") == [(1,), (2,)]


@pytest.mark.parametrize(
    "batch",
    [
        "SELECT * FROM (SELECT 'a' AS g, 1 AS n) AS s PIVOT (SUM(n) FOR g IN ('a')) AS p",
        "SELECT * FROM (SELECT 1 AS g, 1 AS n) AS s PIVOT (SUM(n) FOR g IN (1)) AS p",
        "SELECT * FROM (SELECT 1 AS a, 2 AS b) AS s UNPIVOT (n FOR c IN ('a', 'b')) AS p",
        "SELECT 1 AS a UNION ALL SELECT 2 AS a INTO dbo.late",
    ],
)
def test_pivot_and_into_are_refused_where_sql_server_refuses_them(error_number, batch):
    assert error_number(batch) == 103010
