"""What every SQL pool keeps to; one parameter an adapter."""

import contextlib
import datetime
import hashlib
import shutil
from collections.abc import Iterator

import pytest

from bikecast.core.sql import SqlError
from pipelines.bike_rentals import BIKE_RENTALS
from resources.sql_pool.deployment import (
    create_procedures,
    load_scoring_table,
    save_predictions,
    saved_predictions,
)
from resources.sql_pool.embedded import EmbeddedSqlPool
from resources.sql_pool.model_table import Change, live_model, publish_model
from resources.sql_pool.port import SqlPool
from tests.scoring_rows import write_rows
from tests.tds_server import LAKE_URL, sql_server, synapse_pool
from tests.unit.sql_pool.onnx_models import weighted_sum

HEAP = "WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"


@contextlib.contextmanager
def embedded(folder):
    (folder / "lake").mkdir()
    yield EmbeddedSqlPool(path=str(folder / "pool.duckdb"), lake_root=str(folder / "lake"))


@contextlib.contextmanager
def synapse(folder):
    """The azure environment's adapter, over TLS, in front of the embedded pool."""
    with sql_server(folder) as server:
        yield synapse_pool(server)


@pytest.fixture(params=[embedded, synapse], ids=lambda adapter: adapter.__name__)
def pool(request, tmp_path, prepared_pool) -> Iterator[SqlPool]:
    shutil.copyfile(prepared_pool, tmp_path / "pool.duckdb")
    with request.param(tmp_path) as pool:
        yield pool


@pytest.fixture
def lake_pool(pool, tmp_path):
    """The pool, its lake's folder, and the location of that folder for COPY INTO."""
    lake = tmp_path / "lake"
    return pool, lake, f"file://{lake}" if isinstance(pool, EmbeddedSqlPool) else LAKE_URL


@pytest.fixture
def table(pool):
    with pool.session() as session:
        session.run(f"CREATE TABLE dbo.contract (a int NOT NULL, b varchar(20)) {HEAP}")
    return "dbo.contract"


def count(pool, table):
    with pool.session() as session:
        return session.run(f"SELECT COUNT(*) AS n FROM {table}")[0].rows[0][0]


def test_printed_texts_are_the_messages_of_their_session(pool):
    with pool.session() as session:
        assert session.messages == []
        session.run("PRINT 'one'")
        session.run("SELECT 1 AS a; PRINT N'two'; SELECT 2 AS a")
        assert session.messages == ["one", "two"]
    with pool.session() as session:
        assert session.messages == []


def test_a_result_set_has_names_types_and_rows(pool):
    with pool.session() as session:
        (result,) = session.run("SELECT 1 AS a, N'x' AS b, CAST(NULL AS real) AS c")
    assert [(column.name, column.sql_type) for column in result.columns] == [
        ("a", "int"),
        ("b", "nvarchar"),
        ("c", "real"),
    ]
    assert result.as_dicts() == [{"a": 1, "b": "x", "c": None}]


def test_a_batch_may_return_several_result_sets_or_none(pool, table):
    with pool.session() as session:
        assert len(session.run("SELECT 1 AS a; SELECT 2 AS b")) == 2
        assert session.run(f"INSERT INTO {table} (a) VALUES (1)") == []


@pytest.mark.parametrize(
    "value",
    [
        0,
        2**40,
        -1.5,
        "it's [quoted] -- ' and é 中",
        "",
        b"\x00\xff" * 100_000,
        datetime.datetime(2024, 2, 29, 12, 30, 15, 123456),
        datetime.date(2024, 2, 29),
        True,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_parameter_comes_back_as_it_went_in(pool, value):
    with pool.session() as session:
        assert session.run("SELECT ? AS x", [value])[0].rows == [(value,)]


def test_a_parameter_never_becomes_sql(pool, table):
    hostile = "x'); DROP TABLE dbo.contract; --"
    with pool.session() as session:
        session.run(f"INSERT INTO {table} (a, b) VALUES (?, ?)", [1, hostile[:20]])
        found = session.run(f"SELECT a FROM {table} WHERE b = ?", [hostile[:20]])
    assert found[0].rows == [(1,)]


def test_statements_outside_of_a_transaction_commit_by_themselves(pool, table):
    with pool.session() as session, pytest.raises(SqlError):
        session.run(f"INSERT INTO {table} (a) VALUES (1); SELECT 1 / 0")
    assert count(pool, table) == 1


def test_leaving_a_session_rolls_back_what_is_open(pool, table):
    with pool.session() as session:
        session.run("BEGIN TRANSACTION")
        session.run(f"INSERT INTO {table} (a) VALUES (1)")
    assert count(pool, table) == 0


def test_a_transaction_spans_batches(pool, table):
    with pool.session() as session:
        session.run("BEGIN TRANSACTION")
        session.run(f"INSERT INTO {table} (a) VALUES (1)")
        session.run("COMMIT TRANSACTION")
    assert count(pool, table) == 1


def test_an_error_rolls_back_an_open_transaction(pool, table):
    with pool.session() as session:
        session.run("BEGIN TRANSACTION")
        session.run(f"INSERT INTO {table} (a) VALUES (1)")
        with pytest.raises(SqlError) as caught:
            session.run(f"INSERT INTO {table} (a) VALUES (NULL)")
        assert session.run("SELECT @@TRANCOUNT AS n")[0].rows == [(0,)]
    assert caught.value.number == 515
    assert count(pool, table) == 0


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("SELECT * FROM dbo.nope", 208),
        ("SELECT nope FROM dbo.contract", 207),
        ("EXEC dbo.nope", 2812),
        ("SELECT 1 / 0", 8134),
        ("SELEC 1", 103010),
        ("THROW 51000, N'as asked', 1", 51000),
    ],
)
def test_an_error_carries_sql_servers_number(pool, table, batch, number):
    with pool.session() as session, pytest.raises(SqlError) as caught:
        session.run(batch)
    assert caught.value.number == number


def test_a_temporary_table_lives_as_long_as_its_session(pool):
    with pool.session() as session:
        session.run(f"CREATE TABLE #t (a int) {HEAP}")
        session.run("INSERT INTO #t (a) VALUES (1)")
        assert session.run("SELECT a FROM #t")[0].rows == [(1,)]
    with pool.session() as session, pytest.raises(SqlError):
        session.run("SELECT a FROM #t")


def test_the_pipelines_scripts_publish_load_and_score(lake_pool):
    pool, lake, url = lake_pool
    features = {feature.name: feature.sql_type for feature in BIKE_RENTALS.features}
    model = weighted_sum(features, 2.0, output=BIKE_RENTALS.output)
    change = Change("promote", "tests", "a test")
    write_rows(lake / "forecast.parquet", BIKE_RENTALS, "1,2024-01-01,1,1,0,1,1,1,0.5,0,0,0")
    create_procedures(pool, BIKE_RENTALS)

    published = publish_model(
        pool,
        BIKE_RENTALS,
        version=1,
        digest=hashlib.sha256(model).hexdigest(),
        job_id="job-1",
        model=model,
        change=change,
    )
    loaded = load_scoring_table(pool, BIKE_RENTALS, url=f"{url}/forecast.parquet")
    scored = save_predictions(pool, BIKE_RENTALS, run_id="run-1")

    assert (published, loaded) == (True, 1)
    assert [row["variable_out1"] for row in scored] == [11.0]
    assert live_model(pool, BIKE_RENTALS).version == 1
    assert saved_predictions(pool, BIKE_RENTALS) == scored
