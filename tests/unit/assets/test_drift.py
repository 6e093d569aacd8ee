import datetime as dt

import pyarrow as pa

from assets.checks.drift import DriftLimits, feature_drift, same_season
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate, simulate_forecast

LIMITS = DriftLimits()


def drifted(training: pa.Table, scoring: pa.Table) -> list[str]:
    compared = same_season(training, scoring, SPEC, LIMITS)
    return [each.feature for each in feature_drift(compared, scoring, SPEC, LIMITS) if each.drifted]


def test_a_forecast_is_compared_with_the_same_days_of_earlier_years():
    compared = same_season(simulate(2), simulate_forecast(2, days=40), SPEC, LIMITS)
    assert {day.replace(year=2011) for day in compared["dteday"].to_pylist()} == {
        dt.date(2011, 1, 1) + dt.timedelta(n) for n in range(40)
    }


def test_with_too_few_of_these_days_the_neighbours_are_taken_too():
    compared = same_season(simulate(1), simulate_forecast(1, days=20), SPEC, LIMITS)
    assert 30 <= compared.num_rows < 60
    assert max(compared["dteday"].to_pylist()) == dt.date(2011, 12, 31)


def test_months_and_seasons_of_an_ordinary_forecast_have_not_drifted():
    assert not {"mnth", "season"} & set(drifted(simulate(3), simulate_forecast(3, days=40)))


def test_heat_that_never_was_has_drifted():
    hot = simulate_forecast(2, days=40)
    warmer = pa.array([value + 0.4 for value in hot["temp"].to_pylist()])
    hot = hot.set_column(hot.column_names.index("temp"), "temp", warmer)
    assert "temp" in drifted(simulate(2), hot)


def test_rows_without_a_day_are_compared_with_all():
    training, scoring = simulate(1), simulate_forecast(1, days=40)
    nothing = pa.nulls(scoring.num_rows, pa.date32())
    scoring = scoring.set_column(0, "dteday", nothing)
    assert same_season(training, scoring, SPEC, LIMITS).num_rows == training.num_rows
