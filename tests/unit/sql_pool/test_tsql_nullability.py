"""Which columns of a table made of a query take NULL."""

import pytest

TABLE = (
    "CREATE TABLE dbo.t (id int NOT NULL, v int, s varchar(9) NOT NULL); "
    "INSERT INTO dbo.t SELECT 1, NULL, 'a' UNION ALL SELECT 2, 5, 'b'"
)


@pytest.fixture
def not_null(session, rows):
    """The names of the columns without NULL of a table made of a query."""

    def run(query):
        session.run(TABLE)
        session.run(f"CREATE TABLE dbo.made WITH (DISTRIBUTION = ROUND_ROBIN) AS {query}")
        found = rows(
            "SELECT name FROM sys.columns WHERE object_id = OBJECT_ID('dbo.made') "
            "AND is_nullable = 0 ORDER BY column_id"
        )
        return [name for (name,) in found]

    return run


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("SELECT * FROM dbo.t", ["id", "s"]),
        ("SELECT 1 AS a, 'x' AS b, N'y' AS c, 1.5 AS d, -1e0 AS e, NULL AS f", list("abcde")),
        ("SELECT ISNULL(v, 0) AS a, COALESCE(v, 0) AS b, ISNULL(v, v) AS c FROM dbo.t", ["a"]),
        ("SELECT id + 1 AS a, CASE WHEN id = 1 THEN 2 END AS b, MAX(id) AS c FROM dbo.t "
         "GROUP BY id", []),
        ("SELECT q.i FROM (SELECT id AS i, v FROM dbo.t) AS q", ["i"]),
        ("SELECT s, id, COUNT(*) AS n FROM dbo.t GROUP BY s, id", ["s", "id"]),
        ("SELECT s, id, COUNT(*) AS n FROM dbo.t GROUP BY ROLLUP(s, id)", []),
        ("SELECT id, s FROM dbo.t UNION ALL SELECT v, s FROM dbo.t", ["s"]),
    ],
)  # fmt: skip
def test_a_new_table_keeps_what_is_known_not_to_be_null(not_null, query, names):
    assert not_null(query) == names


@pytest.mark.parametrize(
    ("join", "names"),
    [
        ("dbo.t AS a JOIN dbo.t AS b ON b.id = a.v", ["x", "y"]),
        ("dbo.t AS a LEFT JOIN dbo.t AS b ON b.id = a.v", ["x"]),
        ("dbo.t AS a RIGHT JOIN dbo.t AS b ON b.id = a.v", ["y"]),
        ("dbo.t AS a FULL JOIN dbo.t AS b ON b.id = a.v", []),
        ("dbo.t AS a LEFT JOIN (dbo.t AS b JOIN dbo.t AS c ON c.id = b.id) ON b.id = a.v", ["x"]),
        ("dbo.t AS a OUTER APPLY (SELECT id FROM dbo.t WHERE id = a.v) AS b", ["x"]),
        ("dbo.t AS a CROSS APPLY (SELECT id FROM dbo.t WHERE id = a.v) AS b", ["x", "y"]),
    ],
)
def test_the_side_of_an_outer_join_that_may_be_missing_takes_null(not_null, join, names):
    assert not_null(f"SELECT a.id AS x, b.id AS y FROM {join}") == names


def test_a_new_table_refuses_null_where_its_source_does(session, error_number):
    session.run(TABLE)
    session.run("SELECT id, v INTO #made FROM dbo.t")
    session.run("INSERT INTO #made SELECT 3, NULL")
    assert error_number("INSERT INTO #made SELECT NULL, 1") == 515


def test_the_columns_of_a_view_tell_whether_they_take_null(session, rows):
    session.run(TABLE)
    session.run("CREATE VIEW dbo.v AS SELECT 1 AS one")
    session.run("ALTER VIEW dbo.v AS SELECT id, v FROM dbo.t")
    assert rows(
        "SELECT IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'v' "
        "ORDER BY ORDINAL_POSITION"
    ) == [("NO",), ("YES",)]
