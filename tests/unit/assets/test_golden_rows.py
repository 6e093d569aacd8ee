"""Stored predictions against ONNX Runtime, in the type that they are stored in."""

from dataclasses import replace
from decimal import Decimal

import pytest

from assets.checks.blocking import golden_rows
from bikecast.core.onnx.scoring import score_table
from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import simulate_forecast
from resources.scoring.port import Scored
from tests.unit.sql_pool.onnx_models import weighted_sum

MODEL = weighted_sum(
    {"season": "bigint", "temp": "real", "hum": "real", "windspeed": "real"},
    0.25,
    output=BIKE_RENTALS.model_output,
)
CENTS = replace(BIKE_RENTALS, output="rentals_expected", output_type="decimal(9, 2)")


class OneModel:
    def download(self, name, version):
        return MODEL


def check(error):
    """The check on predictions that are rounded to cents, and off by so much."""
    features = simulate_forecast(10, seed=3).select(CENTS.feature_names)
    scores = score_table(MODEL, CENTS, features.cast(arrow_schema(CENTS.features)))
    stored = [round(Decimal(float(score)), 2) + Decimal(error) for score in scores]
    rows = [
        {**row, "forecast_row": number, CENTS.output: value}
        for number, (row, value) in enumerate(zip(features.to_pylist(), stored, strict=True), 1)
    ]
    return golden_rows(CENTS, OneModel(), Scored("predict", "", 1, rows, len(rows), "run"))


def test_a_prediction_that_is_rounded_to_its_type_equals_the_models():
    assert check("0").passed


@pytest.mark.parametrize("error", ["0.02", "-0.02"])
def test_two_cents_more_or_less_are_another_prediction(error):
    assert not check(error).passed
