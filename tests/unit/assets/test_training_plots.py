"""The plots of the training table, and the history before a forecast."""

import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from assets.plots import forecast_plot
from assets.training_plots import (
    BY_CODE,
    BY_MEASURE,
    HISTORY_DAYS,
    OVER_TIME,
    recent_targets,
    table_plots,
)
from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from resources.lake.local import LocalLake
from tests.second_spec import COFFEE_SALES

PNG = b"\x89PNG"
DAYS = 40
LAST = dt.date(2012, 12, 31)


def rows_of(spec, count):
    """A table of the spec with some value in each column."""
    values = {
        column.name: [
            LAST - dt.timedelta(days=number)
            if column.sql_type == "date"
            else column.codes[number % len(column.codes)]
            if column.codes
            else f"text {number % 3}"
            if column.sql_type == "varchar"
            else number % 7
            for number in range(count)
        ]
        for column in spec.training_columns
    }
    return pa.table(values, schema=arrow_schema(spec.training_columns))


def forecast_from(day):
    """Ten rows of a forecast, by their days."""
    return [{SPEC.time_key: day + dt.timedelta(days=number)} for number in range(10)]


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def lake(tmp_path):
    lake = LocalLake(root=str(tmp_path))
    write_deltalake(lake.url(SPEC.training_table_path), rows_of(SPEC, DAYS))
    return lake


def test_the_target_is_shown_over_time_by_codes_and_against_what_was_measured():
    plots = table_plots(SPEC, rows_of(SPEC, DAYS))
    assert list(plots) == [OVER_TIME, BY_CODE, BY_MEASURE]
    assert {png[:4] for png in plots.values()} == {PNG}


def test_a_table_without_time_is_not_shown_over_time():
    assert OVER_TIME not in table_plots(COFFEE_SALES, rows_of(COFFEE_SALES, 12))


def test_the_history_is_that_of_the_last_days_in_order(instance, lake):
    history = recent_targets(instance, SPEC, lake, forecast_from(LAST + dt.timedelta(days=1)))
    assert len(history) == HISTORY_DAYS
    assert history[-1] == (str(LAST), 0.0)
    assert history == sorted(history)


def test_the_history_ends_before_a_forecast_of_days_that_the_table_has(instance, lake):
    history = recent_targets(instance, SPEC, lake, forecast_from(LAST - dt.timedelta(days=9)))
    assert len(history) == HISTORY_DAYS
    assert history[-1][0] == str(LAST - dt.timedelta(days=10))


def test_there_is_no_history_without_a_table_or_without_days(instance, lake, tmp_path):
    rows, empty = forecast_from(LAST), LocalLake(root=str(tmp_path / "other"))
    assert recent_targets(instance, SPEC, empty, rows) == []
    assert recent_targets(instance, COFFEE_SALES, lake, rows) == []
    assert recent_targets(instance, SPEC, lake, [*rows, {SPEC.time_key: None}]) == []


def test_a_forecast_without_days_stands_alone():
    rows = [{"forecast_row": 1, "dteday": None, SPEC.output: 5.0}]
    assert forecast_plot(SPEC, rows, [("2012-12-31", 3.0)]) == forecast_plot(SPEC, rows)
    dated = [{**rows[0], "dteday": dt.date(2013, 1, 1)}]
    assert forecast_plot(SPEC, dated, [("2012-12-31", 3.0)]) != forecast_plot(SPEC, dated)
