"""The sample against the figures that its calibration was published with."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import (
    holidays,
    simulate,
    simulate_forecast,
    write_forecast_csv,
    write_training_csv,
)
from resources.lake.csv_file import read_scoring_csv, read_training_csv
from resources.lake.queries import rows_in_both

LAB = Path(__file__).parents[2] / ".." / "shared" / "data" / "bike-rentals-training.csv"


@pytest.fixture(scope="module")
def sample():
    return simulate().to_pandas()


@pytest.fixture(scope="module")
def many():
    """Ten samples of two years: their mean is close to what the simulator aims at."""
    import pandas as pd

    return pd.concat([simulate(2, seed).to_pandas() for seed in range(10)], ignore_index=True)


def test_the_default_sample_is_731_days_from_2011(sample):
    assert len(sample) == 731
    assert sample["dteday"].iloc[0] == dt.date(2011, 1, 1)
    assert sample["dteday"].iloc[-1] == dt.date(2012, 12, 31)
    assert sample["instant"].tolist() == list(range(1, 732))


def test_the_same_seed_gives_the_same_days_and_another_seed_others():
    assert simulate(1, seed=5).equals(simulate(1, seed=5))
    assert not simulate(1, seed=5).equals(simulate(1, seed=6))


def test_a_year_does_not_depend_on_how_many_years_are_asked_for():
    assert simulate(3, seed=5).slice(0, 731).equals(simulate(2, seed=5))


def test_the_calendar_is_the_labs():
    if not LAB.is_file():
        pytest.skip("the lab's files are not beside this checkout")
    content = read_training_csv(LAB, BIKE_RENTALS, source_name="lab").table
    for name in ("season", "mnth", "holiday", "weekday", "workingday"):
        assert content[name].to_pylist() == simulate()[name].to_pylist(), name


def test_a_holiday_on_a_weekend_is_observed_on_a_working_day():
    assert dt.date(2011, 4, 15) in holidays(2011)
    assert dt.date(2011, 12, 26) in holidays(2011)
    assert dt.date(2021, 12, 31) in holidays(2021)
    assert dt.date(2011, 1, 1) not in holidays(2011)


@pytest.mark.parametrize("name", ["sample", "many"])
def test_rentals_have_the_published_size(name, request):
    rentals = request.getfixturevalue(name)["rentals"]
    assert rentals.mean() == pytest.approx(848, rel=0.08)
    assert rentals.std() == pytest.approx(686, rel=0.15)
    assert rentals.min() >= 2


def test_the_weather_has_the_published_figures(many):
    shares = many["weathersit"].value_counts(normalize=True)
    assert shares[1] == pytest.approx(463 / 731, abs=0.03)
    assert shares[2] == pytest.approx(247 / 731, abs=0.03)
    assert shares[3] == pytest.approx(21 / 731, abs=0.01)
    monthly = many.groupby("mnth")["temp"].mean()
    published = [0.236, 0.299, 0.391, 0.470, 0.595, 0.684, 0.755, 0.709, 0.616, 0.485, 0.369, 0.324]
    assert np.abs(monthly - published).max() < 0.03
    anomaly = many["temp"] - many.groupby("mnth")["temp"].transform("mean")
    assert anomaly.std() == pytest.approx(0.074, abs=0.008)
    assert anomaly.autocorr() == pytest.approx(0.67, abs=0.08)
    assert many["hum"].mean() == pytest.approx(0.628, abs=0.01)
    assert many["hum"].std() == pytest.approx(0.142, abs=0.01)
    assert many["windspeed"].mean() == pytest.approx(0.190, abs=0.005)
    assert many["windspeed"].std() == pytest.approx(0.077, abs=0.005)


def test_the_week_the_year_and_the_weather_have_their_shapes(many):
    by_weekday = many.groupby("weekday")["rentals"].mean()
    published = [1338, 674, 556, 551, 591, 752, 1465]
    assert np.abs(by_weekday / published - 1).max() < 0.1
    by_month = many.groupby("mnth")["rentals"].mean()
    published = [194, 263, 717, 1013, 1214, 1232, 1261, 1162, 1172, 964, 610, 350]
    assert np.corrcoef(by_month, published)[0, 1] > 0.97
    working = many.groupby("workingday")["rentals"].mean()
    assert working[1] == pytest.approx(607, rel=0.08)
    by_weather = many.groupby("weathersit")["rentals"].mean()
    assert np.abs(by_weather / [964, 687, 185] - 1).max() < 0.15
    by_year = many.groupby("yr")["rentals"].mean()
    assert np.abs(by_year / [677, 1018] - 1).max() < 0.1


def test_the_log_linear_model_of_the_rentals_is_the_published_one(many):
    weather = many["weathersit"]
    inputs = np.column_stack(
        [
            np.ones(len(many)),
            many["temp"],
            many["temp"] ** 2,
            many["workingday"],
            weather == 2,
            weather == 3,
            many["yr"],
            many["windspeed"],
        ]
    ).astype(float)
    target = np.log(many["rentals"])
    found = np.linalg.lstsq(inputs, target, rcond=None)[0]
    published = np.array([3.377, 13.304, -9.958, -0.870, -0.334, -1.617, 0.327, -1.324])
    assert np.abs(found / published - 1).max() < 0.1
    residual = target - inputs @ found
    assert residual.std() == pytest.approx(0.44, abs=0.03)
    assert residual.autocorr() == pytest.approx(0.31, abs=0.06)


def test_the_sample_keeps_the_contract_and_has_the_columns_of_the_lab(tmp_path):
    path = tmp_path / "in.csv"
    write_training_csv(path)
    content = read_training_csv(path, BIKE_RENTALS, source_name="sample")
    assert content.rows == 731
    lines = path.read_text().splitlines()
    assert lines[0] == (
        "instant,dteday,season,yr,mnth,holiday,weekday,workingday,weathersit,temp,atemp,hum,"
        "windspeed,rentals"
    )
    assert lines[1].startswith("1,1/1/2011,1,0,1,0,6,0,")


def test_the_forecast_is_the_ten_days_after_the_sample_with_their_date(tmp_path):
    path = tmp_path / "f.csv"
    write_forecast_csv(path, seed=4)
    content = read_scoring_csv(path, BIKE_RENTALS, source_name="sample")
    days = [dt.date(2013, 1, day) for day in range(1, 11)]
    assert content.table["dteday"].to_pylist() == days
    assert rows_in_both(content.table, simulate(2, 4), BIKE_RENTALS.feature_names) == 0
    later = simulate(3, seed=4).slice(731, 10)
    assert simulate_forecast(2, seed=4)["temp"].equals(later["temp"])


@pytest.mark.parametrize(("years", "seed"), [(0, 0), (201, 0), (2, -1)])
def test_numbers_out_of_range_are_refused(years, seed):
    with pytest.raises(InvalidInput, match=r"must (not )?be"):
        simulate(years, seed)
