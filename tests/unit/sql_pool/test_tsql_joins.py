"""Joins in parentheses and between commas: the order in which they bind, and what ON may name."""

import pytest


@pytest.fixture(scope="module")
def tables(shared_session):
    shared_session.run("CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)")
    for name, ids in (("a", (1, 2)), ("b", (1, 2)), ("c", (2, 3))):
        for number in ids:
            shared_session.run(f"INSERT INTO {name} VALUES ({number})")
    return shared_session


def ordered(row):
    return [(value is None, value or 0) for value in row]


@pytest.mark.parametrize(
    ("clause", "rows"),
    [
        (
            "a LEFT JOIN (b JOIN c ON b.id = c.id) ON a.id = b.id",
            [(1, None, None), (2, 2, 2)],
        ),
        (
            "a LEFT JOIN b JOIN c ON b.id = c.id ON a.id = b.id",
            [(1, None, None), (2, 2, 2)],
        ),
        (
            "(a JOIN b ON a.id = b.id) LEFT JOIN c ON c.id = a.id",
            [(1, 1, None), (2, 2, 2)],
        ),
        ("((a JOIN b ON a.id = b.id) JOIN c ON c.id = b.id)", [(2, 2, 2)]),
        (
            "a, b RIGHT JOIN c ON b.id = c.id",
            [(1, 2, 2), (1, None, 3), (2, 2, 2), (2, None, 3)],
        ),
        ("a CROSS JOIN (b JOIN c ON c.id = b.id)", [(1, 2, 2), (2, 2, 2)]),
        (
            "((SELECT 5 AS id) AS q JOIN (a JOIN c ON c.id = a.id) ON q.id > c.id)",
            [(5, 2, 2)],
        ),
    ],
)
def test_a_join_binds_as_its_parentheses_and_conditions_say(tables, clause, rows):
    found = tables.run(f"SELECT * FROM {clause}")[-1].rows
    assert sorted(found, key=ordered) == rows


def test_a_join_in_parentheses_sees_the_query_around_it(tables):
    query = "SELECT id, (SELECT COUNT(*) FROM (b JOIN c ON b.id = c.id AND c.id = a.id)) FROM a"
    assert sorted(tables.run(query)[-1].rows) == [(1, 0), (2, 1)]


@pytest.mark.parametrize(
    ("clause", "number"),
    [
        ("a LEFT JOIN (b JOIN c ON b.id = a.id) ON a.id = b.id", 4104),
        ("a, b JOIN c ON c.id = a.id", 4104),
        ("a JOIN (a JOIN c ON a.id = c.id) ON 1 = 1", 1013),
        ("(a)", 103010),
        ("(a, b)", 103010),
        ("((SELECT 1 AS id) AS q)", 103010),
        ("(a JOIN b ON a.id = b.id) AS q", 103010),
        ("(a JOIN b ON a.id = b.id) PIVOT (SUM(id) FOR id IN ([1])) AS p", 103010),
        ("a 'x'", 103010),
        ("a AS N'x'", 103010),
    ],
)
def test_a_join_that_sql_server_does_not_read_is_refused(tables, error_of, clause, number):
    assert error_of(tables, f"SELECT * FROM {clause}").number == number


def test_a_table_of_a_join_in_parentheses_can_be_changed(session, rows):
    session.run("CREATE TABLE x (id int, n int); CREATE TABLE y (id int)")
    session.run(
        "INSERT INTO x VALUES (1, 0); INSERT INTO x VALUES (2, 0); INSERT INTO y VALUES (2)"
    )
    session.run("UPDATE x SET n = 5 FROM (x JOIN y ON x.id = y.id)")
    session.run("UPDATE q SET n = n + 1 FROM (x AS q JOIN y ON q.id = y.id)")
    assert rows("SELECT id, n FROM x ORDER BY id") == [(1, 0), (2, 6)]
    session.run("DELETE x FROM y, (x JOIN y AS z ON x.id = z.id)")
    assert rows("SELECT id, n FROM x") == [(1, 0)]
