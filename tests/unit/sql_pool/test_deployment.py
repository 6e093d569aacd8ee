"""What the pipeline does in the pool, for two specs."""

import contextlib
import datetime
import hashlib
from dataclasses import replace

import pytest

from bikecast.core.errors import BikecastError
from bikecast.embedded.sql_pool import SqlError, statement_kinds
from pipelines.bike_rentals import BIKE_RENTALS
from resources.sql_pool.deployment import (
    create_procedures,
    load_scoring_table,
    procedure_script,
    save_predictions,
    saved_predictions,
    stage_predictions,
)
from resources.sql_pool.model_table import (
    Change,
    audit_trail,
    ensure_tables,
    live_model,
    publish_model,
)
from resources.sql_pool.scripts import split_batches
from resources.sql_pool.stored_predictions import find_predictions, stored_predictions
from tests.scoring_rows import write_rows
from tests.second_spec import COFFEE_SALES
from tests.unit.sql_pool.onnx_models import TYPES, price_of, weighted_sum

FEATURES = {feature.name: feature.sql_type for feature in BIKE_RENTALS.features}


def bike_model(weight):
    return weighted_sum(FEATURES, weight, output=BIKE_RENTALS.output)


@pytest.fixture
def publish(pool):
    def run(version, model, **changes):
        settings = {
            "version": version,
            "digest": hashlib.sha256(model).hexdigest(),
            "job_id": f"job-{version}",
            "model": model,
            "change": Change("promote", "tests", "a test"),
        }
        return publish_model(pool, BIKE_RENTALS, **{**settings, **changes})

    return run


@pytest.fixture
def load(pool, lake):
    def run(lines):
        url = write_rows(lake / "forecast.parquet", BIKE_RENTALS, *lines)
        return load_scoring_table(pool, BIKE_RENTALS, url=url)

    return run


def line(row, day, temp=0.5):
    return f"{row},{day},1,1,0,1,1,1,{temp},0,0,0"


def test_nothing_is_live_before_a_model_is_published(pool):
    assert live_model(pool, BIKE_RENTALS) is None
    assert saved_predictions(pool, BIKE_RENTALS) == []


def test_one_version_is_live_and_publishing_it_again_changes_nothing(pool, publish):
    assert publish(1, bike_model(1.0)) is True
    assert publish(1, bike_model(1.0)) is False
    assert publish(2, bike_model(2.0)) is True
    live = live_model(pool, BIKE_RENTALS)
    assert (live.version, live.job_id) == (2, "job-2")
    assert publish(1, bike_model(1.0)) is True
    with pool.session() as session:
        query = "SELECT [version] FROM dbo.rental_prediction_model WHERE is_live = 1"
        assert session.run(query)[0].rows == [(1,)]


def test_a_schema_that_the_database_lacks_is_made_once(pool):
    spec = replace(COFFEE_SALES, schema="shop")
    ensure_tables(pool, spec)
    create_procedures(pool, spec)
    with pool.session() as session:
        query = "SELECT COUNT(*) FROM sys.tables WHERE schema_id = SCHEMA_ID('shop')"
        assert session.run(query)[0].rows == [(4,)]


def test_the_moments_of_publishing_and_of_the_audit_are_aware_and_utc(pool, publish):
    publish(1, bike_model(1.0))
    now = datetime.datetime.now(datetime.UTC)
    entry = audit_trail(pool, BIKE_RENTALS)[0]
    for moment in (live_model(pool, BIKE_RENTALS).published_at, entry.changed_at):
        assert abs(now - moment) < datetime.timedelta(minutes=15)  # no time zone is that near


def test_a_version_is_never_replaced_by_another_model(pool, publish):
    publish(1, bike_model(1.0))
    with pytest.raises(BikecastError, match="another digest"):
        publish(1, bike_model(3.0))
    with pytest.raises(BikecastError, match="do not have the digest"):
        publish(2, bike_model(3.0), digest="0" * 64)
    assert live_model(pool, BIKE_RENTALS).version == 1


def test_loading_replaces_every_row_and_a_bad_file_none(load, pool):
    assert load([line(1, "2024-01-01"), line(2, "")]) == 2
    assert load([line(1, "2024-02-01")]) == 1
    with pytest.raises(SqlError, match="NULL"):
        load([line(1, "2024-03-01", temp="")])
    with pool.session() as session:
        days = session.run("SELECT dteday FROM dbo.weather_forecast")[0].rows
    assert days == [(datetime.date(2024, 2, 1),)]


def test_the_procedures_score_with_the_live_model(pool, publish, load):
    create_procedures(pool, BIKE_RENTALS)
    load([line(1, "2024-01-01", temp=0.5), line(2, "", temp=1.5)])
    publish(1, bike_model(2.0))
    found = save_predictions(pool, BIKE_RENTALS, run_id="run-1")
    assert [row["variable_out1"] for row in found] == [11.0, 13.0]
    assert [row["dteday"] for row in found] == [datetime.date(2024, 1, 1), None]
    assert {(row["model_version"], row["run_id"]) for row in found} == {(1, "run-1")}
    publish(2, bike_model(4.0))
    with pool.session() as session:
        (result,) = session.run("EXEC dbo.predict_rentals")
    assert [column.name for column in result.columns] == [
        "forecast_row",
        "dteday",
        *FEATURES,
        "variable_out1",
    ]
    assert sorted(row[-1] for row in result.rows) == [22.0, 26.0]
    assert saved_predictions(pool, BIKE_RENTALS) == found


def test_without_a_live_model_scoring_is_an_error_and_keeps_the_rows(pool, publish, load):
    create_procedures(pool, BIKE_RENTALS)
    load([line(1, "2024-01-01")])
    publish(1, bike_model(2.0))
    before = save_predictions(pool, BIKE_RENTALS, run_id="run-1")
    with pool.session() as session:
        session.run("UPDATE dbo.rental_prediction_model SET is_live = 0")
        with pytest.raises(SqlError, match="No model is live") as caught:
            session.run("EXEC dbo.predict_rentals")
    assert caught.value.number == 51000
    with pytest.raises(SqlError, match="No model is live"):
        save_predictions(pool, BIKE_RENTALS, run_id="run-2")
    assert saved_predictions(pool, BIKE_RENTALS) == before


def test_a_model_that_fails_keeps_the_stored_predictions(pool, publish, load):
    create_procedures(pool, BIKE_RENTALS)
    load([line(1, "2024-01-01")])
    publish(1, bike_model(2.0))
    before = save_predictions(pool, BIKE_RENTALS, run_id="run-1")
    publish(2, price_of({"tea": 1}))
    with pytest.raises(SqlError, match="no column for the model column 'word'"):
        save_predictions(pool, BIKE_RENTALS, run_id="run-2")
    assert saved_predictions(pool, BIKE_RENTALS) == before


def test_what_was_staged_is_what_is_stored_although_the_model_changed_since(pool, publish, load):
    create_procedures(pool, BIKE_RENTALS)
    load([line(1, "2024-01-01", temp=0.5), line(2, "", temp=1.5)])
    publish(1, bike_model(2.0))
    count, [first] = stage_predictions(pool, BIKE_RENTALS, run_id="run-1", limit=1)
    assert (count, first["variable_out1"]) == (2, 11.0)
    assert saved_predictions(pool, BIKE_RENTALS) == []
    publish(2, bike_model(4.0))
    stored = save_predictions(pool, BIKE_RENTALS, run_id="run-1", limit=1)
    assert stored == [first]
    assert len(saved_predictions(pool, BIKE_RENTALS)) == 2
    [again] = save_predictions(pool, BIKE_RENTALS, run_id="run-1", limit=1)
    assert again["variable_out1"] == 22.0


def test_rows_that_another_run_staged_are_not_stored(pool, publish, load):
    create_procedures(pool, BIKE_RENTALS)
    load([line(1, "2024-01-01", temp=0.5)])
    publish(1, bike_model(2.0))
    stage_predictions(pool, BIKE_RENTALS, run_id="run-1", limit=1)
    [row] = save_predictions(pool, BIKE_RENTALS, run_id="run-2")
    assert row["run_id"] == "run-2"


def test_creating_the_procedures_twice_changes_nothing(pool):
    assert create_procedures(pool, BIKE_RENTALS) == create_procedures(pool, BIKE_RENTALS)


def test_another_spec_gets_its_own_tables(pool, lake):
    assert {feature.sql_type for feature in COFFEE_SALES.features} <= TYPES.keys()
    url = write_rows(lake / "offers.parquet", COFFEE_SALES, '1,"flat white",2.5,10,7')
    assert load_scoring_table(pool, COFFEE_SALES, url=url) == 1
    create_procedures(pool, COFFEE_SALES)
    model = weighted_sum({"price": "float", "seats": "int"}, 1.0, output=COFFEE_SALES.output)
    digest = hashlib.sha256(model).hexdigest()
    publish_model(
        pool,
        COFFEE_SALES,
        version=1,
        digest=digest,
        job_id="j",
        model=model,
        change=Change("promote", "", ""),
    )
    (row,) = save_predictions(pool, COFFEE_SALES, run_id="r")
    assert (row["drink"], row[COFFEE_SALES.output]) == ("flat white", 12.5)


def test_in_azure_the_managed_identity_reads_the_lake_and_no_secret_is_in_the_text(pool):
    url = "https://account.dfs.core.windows.net/files/staging/forecast.parquet"
    batches = []

    class Listening:
        """A pool that notes its batches before the embedded one, which has no https, runs them."""

        @contextlib.contextmanager
        def session(self):
            with pool.session() as self.inner:
                yield self

        def run(self, batch, parameters=()):
            batches.append(batch)
            return self.inner.run(batch, parameters)

    with pytest.raises(SqlError, match="file://"):
        load_scoring_table(Listening(), BIKE_RENTALS, url=url)
    assert f"FROM '{url}'" in batches[-1]
    assert "CREDENTIAL = (IDENTITY = 'Managed Identity')" in batches[-1]
    assert "SECRET" not in batches[-1]


def test_the_script_holds_only_what_a_dedicated_pool_has():
    script = procedure_script(BIKE_RENTALS)
    for batch in split_batches(script):
        assert statement_kinds(batch)
    assert script.count("RUNTIME = ONNX") == 2
    assert "INSERT INTO [dbo].[predicted_rentals] ([forecast_row]" in script


@pytest.fixture
def stored(pool, publish, load):
    """Three stored predictions: 11, 13 and 21; the second has no day."""
    create_procedures(pool, BIKE_RENTALS)
    lines = [line(1, "2024-01-01", 0.5), line(2, "", 1.5), line(3, "2024-01-03", 5.5)]
    load(lines)
    publish(1, bike_model(2.0))
    return save_predictions(pool, BIKE_RENTALS, run_id="run-1")


@pytest.mark.parametrize(
    ("minimum", "maximum", "outside"),
    [(None, 21.0, []), (0.0, 20.0, [3]), (12.0, 12.5, [1, 2, 3])],
)
def test_the_pool_counts_the_predictions_that_are_beyond_limits(
    pool, stored, minimum, maximum, outside
):
    found = stored_predictions(pool, BIKE_RENTALS, minimum=minimum, maximum=maximum)
    assert (found.rows, found.outside, found.model_version) == (3, len(outside), 1)
    assert [row["forecast_row"] for row in found.first_outside] == outside
    assert (found.lowest, found.highest) == (11.0, 21.0)
    assert found.is_varied


def test_a_prediction_that_is_missing_is_beyond_all_limits(pool, stored):
    with pool.session() as session:
        session.run("UPDATE dbo.predicted_rentals SET variable_out1 = NULL WHERE forecast_row = 2")
    found = stored_predictions(pool, BIKE_RENTALS, minimum=None, maximum=1e9)
    assert [row["forecast_row"] for row in found.first_outside] == [2]


def test_equal_rows_are_not_varied_and_no_table_has_no_rows(pool, publish, load):
    before = stored_predictions(pool, BIKE_RENTALS, minimum=0.0, maximum=1.0)
    assert (before.rows, before.outside, before.lowest) == (0, 0, None)
    create_procedures(pool, BIKE_RENTALS)
    load([line(1, "2024-01-01"), line(2, "2024-01-02")])
    publish(1, bike_model(2.0))
    save_predictions(pool, BIKE_RENTALS, run_id="run-1")
    found = stored_predictions(pool, BIKE_RENTALS, minimum=0.0, maximum=20.0)
    assert (found.is_varied, found.lowest, found.highest) == (False, 11.0, 11.0)


@pytest.mark.parametrize(
    ("key", "row"), [("2024-01-03", 3), ("2", 2), ("2024-01-02", None), ("x", None)]
)
def test_one_prediction_is_found_by_its_day_or_its_number(pool, stored, key, row):
    found = find_predictions(pool, BIKE_RENTALS, key, limit=2)
    assert found == ([] if row is None else [stored[row - 1]])
    assert saved_predictions(pool, BIKE_RENTALS, limit=2) == stored[:2]
