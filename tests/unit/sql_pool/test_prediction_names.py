"""What a model's file says of its predictions: the columns that are inputs, and the output."""

import datetime as dt
import hashlib
from dataclasses import replace
from decimal import Decimal

import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column, ModelSpec
from pipelines.bike_rentals import BIKE_RENTALS
from resources.sql_pool.daily import Days, Scorer, load_days, score_days
from resources.sql_pool.deployment import (
    create_procedures,
    load_scoring_table,
    other_columns,
    predicted_rows,
    prediction_columns,
    prediction_types,
    probe_predict,
    procedure_script,
    save_predictions,
    saved_predictions,
)
from resources.sql_pool.model_table import Change, publish_model
from tests.scoring_rows import write_rows
from tests.second_spec import COFFEE_SALES
from tests.unit.sql_pool.onnx_models import weighted_sum

SHOP = ModelSpec(
    name="shop",
    features=(Column("price", "real"), Column("seats", "real")),
    target=Column("cups", "bigint"),
    keys=(Column("day", "date"),),
    time_key="day",
    first_day="2024-01-01",
    inputs={"price": "unit_price"},
    output="cups_expected",
    output_type="decimal(9, 2)",
)
#: 2.5 times the sum of both.
MODEL = weighted_sum({"price": "real", "seats": "real"}, 2.5, output="variable_out1")
DAY = Days(dt.date(2024, 1, 1), dt.date(2024, 1, 1))
ROWS = ("1,2024-01-01,1.25,3.5", "2,2024-01-02,2,0.2")


@pytest.fixture
def rows_to_score(lake):
    return write_rows(lake / "offers.parquet", SHOP, *ROWS)


@pytest.fixture
def make(pool, rows_to_score):
    """Loads the rows, makes the procedures and publishes the model of a spec."""

    def run(spec):
        load_scoring_table(pool, spec, url=rows_to_score)
        create_procedures(pool, spec)
        change, digest = Change("promote", "", ""), hashlib.sha256(MODEL).hexdigest()
        publish_model(pool, spec, version=1, digest=digest, job_id="j", model=MODEL, change=change)

    return run


def columns_of(pool, table):
    with pool.session() as session:
        return [column.name for column in session.run(f"SELECT * FROM dbo.{table}")[0].columns]


def test_the_table_has_its_own_names_and_the_predictions_those_of_the_model(pool, make):
    make(SHOP)
    assert columns_of(pool, "shop_scoring") == ["forecast_row", "day", "unit_price", "seats"]
    first, second = predicted_rows(pool, SHOP)
    assert first == {
        "forecast_row": 1,
        "day": dt.date(2024, 1, 1),
        "price": 1.25,
        "seats": 3.5,
        "cups_expected": Decimal("11.88"),
    }
    assert second["cups_expected"] == Decimal("5.50")
    probe_predict(pool, SHOP)
    assert list(save_predictions(pool, SHOP, run_id="r")[0]) == list(prediction_types(SHOP))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("real", 11.875),
        ("float", 11.875),
        ("int", 12),
        ("bigint", 12),
        ("decimal(6,1)", Decimal("11.9")),
    ],
)
def test_a_prediction_has_the_type_of_the_models_file(pool, make, kind, value):
    spec = replace(SHOP, output_type=kind)
    make(spec)
    stored = save_predictions(pool, spec, run_id="r")[0]["cups_expected"]
    assert (stored, type(stored)) == (value, type(value))


def test_predict_returns_what_the_model_calls_its_output():
    script = procedure_script(SHOP)
    assert script.count("WITH ([variable_out1] real) AS p") == 2
    assert "CAST(p.[variable_out1] AS decimal(9, 2)) AS [cups_expected]" in script
    assert "d.[unit_price] AS [price]" in script


def test_days_are_kept_by_the_models_names_and_with_the_models_output(pool, make, rows_to_score):
    make(SHOP)
    load_days(pool, SHOP, DAY, url=rows_to_score)
    [row] = score_days(pool, SHOP, DAY, Scorer(1, MODEL, "", ""), run_id="r")
    assert (row["price"], row["cups_expected"]) == (1.25, Decimal("11.88"))


def test_another_name_of_output_or_input_makes_the_tables_anew(pool, make):
    """The procedure once failed by a column that the table of before did not have."""
    make(SHOP)
    save_predictions(pool, SHOP, run_id="r")
    changed = replace(SHOP, output="cups", target=Column("sold", "bigint"), inputs={})
    make(changed)
    assert columns_of(pool, "shop_scoring") == ["forecast_row", "day", "price", "seats"]
    assert save_predictions(pool, changed, run_id="r")[0]["cups"] == Decimal("11.88")


def test_the_same_file_keeps_what_is_stored(pool, make):
    make(SHOP)
    stored = save_predictions(pool, SHOP, run_id="r")
    create_procedures(pool, SHOP)
    assert saved_predictions(pool, SHOP) == stored


@pytest.mark.parametrize("spec", [BIKE_RENTALS, COFFEE_SALES], ids=lambda spec: spec.name)
def test_a_table_that_was_made_by_a_models_file_has_its_columns(pool, spec):
    create_procedures(pool, spec)
    table, columns = spec.predictions_table, prediction_columns(spec)
    changed = {name: text.replace("real", "float") for name, text in columns.items()}
    with pool.session() as session:
        assert not other_columns(session, spec, table, columns)
        assert other_columns(session, spec, table, changed)


def test_days_of_other_columns_are_not_dropped(pool, make, rows_to_score):
    make(SHOP)
    load_days(pool, SHOP, DAY, url=rows_to_score)
    score_days(pool, SHOP, DAY, Scorer(1, MODEL, "", ""), run_id="r")
    changed = replace(SHOP, output="cups_tomorrow")
    with pytest.raises(InvalidInput, match="other columns than the model's file says now"):
        score_days(pool, changed, DAY, Scorer(1, MODEL, "", ""), run_id="r")
    assert "cups_expected" in columns_of(pool, "predicted_shop_by_day")
