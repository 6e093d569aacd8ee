"""`bikecast sql --lake`: Spark SQL on the lake's tables."""

import json

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.environments import pipeline_tables
from resources.spark.lake_session import check_new_table, check_reads, statements


@pytest.fixture
def lake(tmp_path):
    """The lake of the home that `bikecast` gets, with two versions of a table."""
    table = tmp_path / "home" / "lake" / "tables" / "bike_data"
    table.mkdir(parents=True)
    columns = {"rentals": pa.array([331, None]), "temp": pa.array([0.1, 0.25], pa.float32())}
    write_deltalake(table, pa.table(columns).slice(0, 1))
    write_deltalake(table, pa.table(columns), mode="overwrite")
    return table


def test_a_query_is_printed_like_the_pools(bikecast, lake):
    query = "SELECT rentals, temp, temp < .2 AS cold, named_struct('a', 1) AS s FROM bike_data"

    code, out, _ = bikecast("sql", "--lake", f"{query} ORDER BY temp", "--format", "csv")
    assert code == 0
    assert out == "rentals,temp,cold,s\n331,0.1,true,{'a': 1}\n,0.25,false,{'a': 1}\n"
    code, out, _ = bikecast("sql", "--lake", "SHOW TABLES; SELECT 1 AS one;", "--format", "json")
    tables, rows = map(json.loads, out.splitlines())
    assert [table["tableName"] for table in tables] == ["bike_data"]
    assert rows == [{"one": 1}]


def test_a_refused_query_says_which_tables_there_are(bikecast, lake):
    code, _, said = bikecast("sql", "--lake", "SELECT * FROM bikes")

    assert code == 1
    assert "Table or view not found: bikes\nThe lake's tables are: bike_data." in said


def test_a_lake_without_tables_says_what_to_run_first(bikecast):
    code, _, said = bikecast("sql", "--lake", "SELECT * FROM a_table_of_no_lake")

    assert code == 1
    assert "The lake has no table yet: `bikecast run` first." in said


def test_a_result_that_does_not_belong_into_memory_is_refused(bikecast, lake):
    code, out, said = bikecast("sql", "--lake", "SELECT * FROM range(100001)")

    assert (code, out) == (2, "")
    assert "more than 100,000 rows. Nothing was printed; add a LIMIT" in said


@pytest.mark.parametrize("name", ["bike_data", "dbo.Bike_Data"])
def test_msg_208_says_that_the_lake_has_the_table(bikecast, lake, name):
    code, _, said = bikecast("sql", f"SELECT * FROM {name}")

    assert code == 1
    assert "Msg 208" in said
    assert 'a table of the lake, not of the pool: bikecast sql --lake "TABLE bike_data"' in said


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE bike_data",
        "INSERT INTO bike_data VALUES (1)",
        "CREATE TABLE copy AS SELECT * FROM bike_data",
        "WITH a AS (SELECT 1) INSERT INTO bike_data SELECT * FROM a",
        "SET spark.sql.ansi.enabled = false",
        "",
    ],
)
def test_what_changes_something_is_refused_before_a_session_is_opened(query):
    with pytest.raises(InvalidInput, match="Nothing was run"):
        check_reads(query)


@pytest.mark.parametrize(
    "query",
    [
        "select 1",
        "WITH a AS (SELECT 1) TABLE a",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "VALUES (1)",
        "FROM bike_data SELECT rentals",
        "TABLE bike_data",
        "DESCRIBE TABLE bike_data",
        "SELECT * FROM bike_data LATERAL VIEW explode(array(1)) AS x",
    ],
)
def test_a_query_is_taken(query):
    check_reads(query)


def test_semicolons_in_texts_and_comments_separate_nothing():
    script = "SELECT ';' ; -- a; b\nSELECT 2;\n;"

    assert statements(script) == ["SELECT ';'", "-- a; b\nSELECT 2"]


@pytest.mark.parametrize("name", ["bike_data", "Predicted_Rentals", "../away", "a b"])
def test_a_notebook_replaces_no_table_of_the_pipeline(name):
    with pytest.raises(InvalidInput, match="Nothing was saved"):
        check_new_table(name, pipeline_tables([BIKE_RENTALS]))
    check_new_table("explored_bike_rentals", pipeline_tables([BIKE_RENTALS]))
