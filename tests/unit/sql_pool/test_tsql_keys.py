"""Keys that nothing enforces, and what the catalog tells of them and of indexes."""

import pytest

TABLE = (
    "CREATE TABLE t (a int PRIMARY KEY NONCLUSTERED NOT ENFORCED, b int UNIQUE NOT ENFORCED, "
    "c int, CONSTRAINT uq_cb UNIQUE NONCLUSTERED (c, b) NOT ENFORCED)"
)
INDEXES = (
    "SELECT i.name, c.name AS column_name, ic.key_ordinal, ic.is_descending_key, "
    "ic.is_included_column FROM sys.indexes AS i JOIN sys.index_columns AS ic "
    "ON ic.object_id = i.object_id AND ic.index_id = i.index_id JOIN sys.columns AS c "
    "ON c.object_id = ic.object_id AND c.column_id = ic.column_id "
    "ORDER BY i.index_id, ic.index_column_id"
)


def test_the_catalog_tells_of_keys_and_of_their_indexes(session, rows):
    session.run(TABLE)
    assert rows(
        "SELECT type, type_desc, OBJECT_NAME(parent_object_id), unique_index_id, is_system_named "
        "FROM sys.key_constraints ORDER BY unique_index_id"
    ) == [
        ("PK", "PRIMARY_KEY_CONSTRAINT", "t", 2, True),
        ("UQ", "UNIQUE_CONSTRAINT", "t", 3, True),
        ("UQ", "UNIQUE_CONSTRAINT", "t", 4, False),
    ]
    assert rows(
        "SELECT k.name, i.type_desc, i.is_unique, i.is_primary_key, i.is_unique_constraint "
        "FROM sys.key_constraints AS k JOIN sys.indexes AS i ON i.object_id = k.parent_object_id "
        "AND i.index_id = k.unique_index_id WHERE k.name = i.name AND k.is_system_named = 0"
    ) == [("uq_cb", "NONCLUSTERED", True, False, True)]
    assert rows("SELECT COUNT(*) FROM sys.objects WHERE type IN ('PK', 'UQ')") == [(3,)]
    assert rows("SELECT COUNT(*) FROM sys.foreign_keys") == [(0,)]


def test_the_columns_of_every_index_are_in_their_order(session, rows):
    session.run("CREATE TABLE t (a int, b int) WITH (CLUSTERED INDEX (b DESC, a))")
    session.run("CREATE INDEX gone ON t (a)")
    session.run("CREATE INDEX ix ON t (a DESC, b)")
    session.run("DROP INDEX gone ON t")
    session.run("ALTER TABLE t ADD CONSTRAINT uq UNIQUE (b) NOT ENFORCED")
    found = [row[1:4] for row in rows(INDEXES)]
    assert found == [
        ("b", 1, True), ("a", 2, False), ("a", 1, True), ("b", 2, False), ("b", 1, False),
    ]  # fmt: skip


def test_a_columnstore_includes_all_columns_and_a_heap_none(session, rows):
    session.run("CREATE TABLE s (a int, b int)")
    session.run("CREATE TABLE h (a int) WITH (HEAP)")
    assert [row[1:] for row in rows(INDEXES)] == [("a", 0, False, True), ("b", 0, False, True)]


def test_nothing_enforces_a_key_but_a_primary_key_takes_no_null(session, error_number, rows):
    session.run(TABLE)
    session.run("INSERT INTO t VALUES (1, 2, 3)")
    session.run("INSERT INTO t VALUES (1, 2, 3)")
    assert rows("SELECT COUNT(*) FROM t") == [(2,)]
    assert error_number("INSERT INTO t VALUES (NULL, 2, 3)") == 515


def test_a_key_is_dropped_by_its_name_and_with_its_table(session, rows):
    session.run(TABLE)
    session.run("ALTER TABLE t DROP CONSTRAINT UQ_CB")
    session.run("ALTER TABLE t ADD CONSTRAINT uq_cb UNIQUE (c) NOT ENFORCED")
    session.run("RENAME OBJECT t TO u")
    names = "SELECT name FROM sys.key_constraints WHERE parent_object_id = OBJECT_ID('u')"
    assert ("uq_cb",) in rows(names)
    session.run("DROP TABLE u")
    assert rows("SELECT name FROM sys.key_constraints") == []


def test_a_column_is_added_with_its_key(session, rows):
    session.run("CREATE TABLE t (a int)")
    session.run("ALTER TABLE t ADD b int NOT NULL DEFAULT 1 UNIQUE NOT ENFORCED")
    session.run("ALTER TABLE t ADD p int PRIMARY KEY NONCLUSTERED NOT ENFORCED")
    assert rows("SELECT type FROM sys.key_constraints ORDER BY object_id") == [("UQ",), ("PK",)]
    assert rows("SELECT name FROM sys.columns WHERE is_nullable = 0 ORDER BY name") == [
        ("b",), ("p",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("ALTER TABLE t DROP CONSTRAINT nope", 3728),
        ("ALTER TABLE t ADD PRIMARY KEY NONCLUSTERED (b) NOT ENFORCED", 8110),
        ("ALTER TABLE t ADD CONSTRAINT uq_cb UNIQUE (c) NOT ENFORCED", 2714),
        ("ALTER TABLE t ADD UNIQUE (nope) NOT ENFORCED", 1911),
        ("ALTER TABLE t ADD UNIQUE (b, B) NOT ENFORCED", 1909),
        ("ALTER TABLE t ADD UNIQUE NOT ENFORCED", 103010),
        ("ALTER TABLE t ADD UNIQUE (c)", 103010),
        ("ALTER TABLE t DROP COLUMN b", 5074),
        ("ALTER TABLE t ALTER COLUMN a bigint NOT NULL", 5074),
        ("CREATE TABLE n (a int NULL PRIMARY KEY NONCLUSTERED NOT ENFORCED)", 8111),
        ("CREATE TABLE n (a int, CONSTRAINT uq_cb UNIQUE (a) NOT ENFORCED)", 2714),
        ("ALTER TABLE o ADD PRIMARY KEY NONCLUSTERED (a) NOT ENFORCED", 8111),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_is_an_error(session, error_number, batch, number):
    session.run(TABLE)
    session.run("CREATE TABLE o (a int)")
    assert error_number(batch) == number
