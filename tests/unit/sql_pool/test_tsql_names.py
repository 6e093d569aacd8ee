"""Names with the pool's database in front, and procedures by their name alone."""

import pytest

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool import Pool, statement_kinds


@pytest.fixture(scope="module")
def stations(shared_session):
    for batch in (
        "CREATE TABLE pool.dbo.stations (id int, name nvarchar(20)) WITH (HEAP)",
        "INSERT INTO [pool]..stations VALUES (1, 'Harbour')",
        "CREATE VIEW pool.dbo.all_stations AS SELECT id, name FROM pool..stations",
        "CREATE FUNCTION dbo.twice (@x int) RETURNS int AS BEGIN RETURN 2 * @x END",
        "CREATE PROCEDURE dbo.station @id int AS SELECT name FROM dbo.stations WHERE id = @id",
    ):
        shared_session.run(batch)
    return shared_session


READS = [
    "SELECT id, name FROM pool.dbo.stations",
    "SELECT * FROM POOL..stations",
    'SELECT [pool].[dbo].[stations].id, pool..stations.name FROM "pool".dbo.stations',
    "SELECT pool.dbo.stations.* FROM pool.dbo.stations",
    "SELECT * FROM pool.dbo.all_stations WHERE pool.dbo.twice(id) = 2",
    "SELECT s.* FROM pool.sys.tables AS t JOIN dbo.stations AS s ON t.name = 'stations'",
    "WITH c AS (SELECT * FROM pool..stations) SELECT * FROM c",
    "SELECT s.* FROM dbo.stations AS s WHERE EXISTS "
    "(SELECT 1 FROM pool.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'stations')",
]


@pytest.mark.parametrize("batch", READS)
def test_the_name_of_the_pool_may_stand_in_front(stations, batch):
    assert stations.run(batch)[0].rows == [(1, "Harbour")]


def test_an_error_names_what_was_not_found_without_the_pool(stations, error_of):
    assert error_of(stations, "SELECT * FROM pool.dbo.nothing").number == 208


@pytest.mark.parametrize(
    "name", ["other.dbo.stations", "other..stations", "master.sys.tables", "server.pool.dbo.t"]
)
@pytest.mark.parametrize("batch", ["SELECT * FROM {}", "DROP TABLE {}", "DELETE FROM {}"])
def test_a_name_of_another_database_is_refused_by_name(stations, error_of, batch, name):
    error = error_of(stations, batch.format(name))
    assert error.number == 103010
    assert f"cross-database name {name}" in error.message
    assert "pool" in error.message


def test_a_schema_with_the_name_of_the_pool_is_refused(stations, error_of):
    assert "name of the database" in error_of(stations, "CREATE SCHEMA pool").message


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("pool.dbo.stations", True),
        ("pool..stations", True),
        ("[POOL].[dbo].[stations]", True),
        ("other.dbo.stations", False),
        ("pool.dbo.nothing", False),
        ("a.b.c.stations", False),
    ],
)
def test_object_id_takes_names_of_three_parts(stations, name, is_there):
    by_text = stations.run(f"SELECT OBJECT_ID('{name}'), OBJECT_ID('{name}', 'U')")[0].rows[0]
    by_column = stations.run(
        f"SELECT OBJECT_ID(name) FROM (SELECT TOP 1 '{name}' AS name FROM dbo.stations) AS n"
    )[0].rows[0]
    assert {value is not None for value in by_text + by_column} == {is_there}


def test_use_of_the_pool_changes_nothing(stations):
    assert stations.run("USE pool; SELECT 1 AS a")[0].rows == [(1,)]
    assert statement_kinds("USE [Pool]") == ["Use"]


def test_use_of_another_database_is_refused(stations, error_of):
    assert error_of(stations, "SELECT 1; USE master").number == 40508


@pytest.mark.parametrize(
    "batch",
    [
        "dbo.station 1",
        "dbo.station @id = 1; SELECT 1 AS a",
        "[dbo].[station] 1",
        "pool.dbo.station 1",
        "station 1",
    ],
)
def test_a_procedure_first_in_its_batch_needs_no_exec(stations, batch):
    assert stations.run(batch)[0].rows == [("Harbour",)]


def test_a_procedure_behind_another_statement_needs_exec(stations, error_of):
    assert error_of(stations, "SELECT 1 AS a; dbo.station 1").number == 103010


def test_a_name_that_is_no_procedure_is_an_error_that_says_so(stations, error_of):
    assert error_of(stations, "dbo.no_such_procedure 1").number == 2812


def test_rename_object_renames_a_view(session):
    session.run("CREATE TABLE dbo.days (a int); CREATE TABLE dbo.taken (a int)")
    session.run("CREATE VIEW dbo.old AS SELECT a FROM dbo.days")
    session.run("RENAME OBJECT pool.dbo.old TO new_view")
    assert session.run("SELECT * FROM dbo.new_view")[0].rows == []
    with pytest.raises(SqlError, match="There is already an object named 'taken'"):
        session.run("RENAME OBJECT dbo.new_view TO taken")


def test_sp_columns_and_its_kin_are_called_by_text(stations):
    def first(batch):
        return stations.run(batch)[0]

    columns = first("EXEC sp_columns 'stations'")
    assert [row[3] for row in columns.rows] == ["id", "name"]
    named = first("EXEC sys.sp_columns @table_name = 'stations', @column_name = 'name'")
    assert [row[3] for row in named.rows] == ["name"]
    assert [row[2] for row in first("EXEC pool.sys.sp_tables 'stat%'").rows] == ["stations"]
    assert first("EXEC sp_tables 'stat%', @fUsePattern = 0").rows == []
    assert first("sp_stored_procedures 'station'").rows[0][2] == "station;1"
    assert first("EXEC sp_pkeys 'stations'").columns[5].name == "PK_NAME"
    assert [row[0] for row in first("EXEC sp_datatype_info 4").rows] == ["int"]


def test_a_bare_word_is_an_argument_as_text(stations, error_of):
    for batch in ("EXEC sp_columns stations", "sp_columns [stations]"):
        assert [row[3] for row in stations.run(batch)[0].rows] == ["id", "name"]
    assert error_of(stations, "EXEC dbo.station Harbour").number == 8114


def test_a_temp_table_is_in_tempdb(stations, error_of):
    stations.run("CREATE TABLE tempdb..#spots (i int); INSERT tempdb.dbo.#spots VALUES (7)")
    assert stations.run("SELECT tempdb..#spots.i FROM tempdb..#spots")[0].rows == [(7,)]
    stations.run("IF OBJECT_ID('tempdb..#spots') IS NOT NULL DROP TABLE tempdb..#spots")
    assert error_of(stations, "SELECT * FROM tempdb..#spots").number == 208
    assert "tempdb..spots" in error_of(stations, "SELECT * FROM tempdb..spots").message


def test_an_argument_that_a_catalog_procedure_has_not_is_refused(stations, error_of):
    assert error_of(stations, "EXEC sp_columns @nothing = 1").number == 8145


@pytest.mark.parametrize("name", ["a]b", "a;b", "a.b", 'a"b', "a b", "a--b", "a'b"])
def test_object_id_finds_names_with_any_sign(rows, session, name):
    """The name of a column's value was cut at its dots and lost its brackets."""
    quoted = "[" + name.replace("]", "]]") + "]"
    session.run(f"CREATE TABLE dbo.{quoted} (i int)")
    text = quoted.replace("'", "''")
    [(expected,)] = rows(f"SELECT OBJECT_ID('dbo.{text}') AS a")
    assert expected is not None
    for given in (f"dbo.{text}", text, f"pool.dbo.{text}", f"pool..{text}"):
        assert rows(f"SELECT OBJECT_ID(n) AS a FROM (SELECT '{given}' AS n) AS t") == [(expected,)]
    column = name.replace("'", "''")
    batch = f"SELECT OBJECT_ID(QUOTENAME(name)) AS a FROM sys.tables WHERE name = '{column}'"
    assert rows(batch) == [(expected,)]
    assert rows(f"SELECT OBJECT_ID(n) AS a FROM (SELECT 'x.pool.dbo.{text}' AS n) AS t") == [
        (None,)
    ]


def test_pools_of_one_process_have_names_of_their_own(tmp_path):
    pools = [Pool(tmp_path / f"{n}.duckdb", tmp_path, database=n) for n in ("Sales", "stock")]
    for pool in pools:
        name = pool.database
        with pool.session() as session:
            session.run(f"CREATE TABLE {name}.dbo.t (a int) WITH (HEAP); USE {name.upper()}")
            session.run("INSERT INTO stock..t VALUES (1)" if name == "stock" else "SELECT 1 AS a")
            names = session.run(
                "SELECT DB_NAME() AS a, HAS_DBACCESS('sales') AS b, name FROM sys.databases"
            )
            assert names[0].rows == [(name, 1 if name == "Sales" else None, name)]
            with pytest.raises(SqlError, match=f"The database here is {name}"):
                session.run("SELECT * FROM pool.dbo.t")
    with pools[0].session() as session, pytest.raises(SqlError, match="database here is Sales"):
        session.run("INSERT INTO stock..t VALUES (1)")  # the other pool has read this text
