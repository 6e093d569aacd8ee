"""Which prediction `bikecast explain` is about."""

import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column, ModelSpec
from pipelines.reports.provenance import sole_prediction

HOURLY = ModelSpec(
    name="trips",
    features=(Column("x", "float"),),
    target=Column("y", "float"),
    keys=(Column("day", "date"), Column("hour", "bigint")),
    time_key="day",
)
ROWS = [
    {"forecast_row": 1, "day": "2024-01-01"},
    {"forecast_row": 2, "day": "2024-01-02"},
    {"forecast_row": 3, "day": "2024-01-02"},
]


def test_the_only_match_is_taken():
    assert sole_prediction("2024-01-01", ROWS[:1], ROWS, HOURLY) is ROWS[0]


@pytest.mark.parametrize(
    ("key", "matches", "first", "reason"),
    [
        (
            "2024-01-02",
            ROWS[1:],
            ROWS[1:],
            "Several predictions have day 2024-01-02. .* one row instead: 2, 3",
        ),
        ("2024-01-03", [], ROWS, "no prediction for day 2024-01-03. There are: 2024-01-01, "),
        ("1", [], [], "bikecast run --model trips"),
    ],
)
def test_what_names_no_single_prediction_is_refused(key, matches, first, reason):
    """A day with several rows once was explained by the first of them."""
    with pytest.raises(InvalidInput, match=reason):
        sole_prediction(key, matches, first, HOURLY)
