from dataclasses import replace

import pytest

from bikecast.core.operations import Freshness, Schedules, Thresholds
from bikecast.core.spec import Column, SpecError, TrainingSettings
from bikecast.core.sql_types import arrow_schema, spark_schema
from pipelines.bike_rentals import BIKE_RENTALS


def test_the_training_table_has_features_then_target_then_keys():
    names = [column.name for column in BIKE_RENTALS.training_columns]
    assert names[:10] == list(BIKE_RENTALS.feature_names)
    assert names[10:] == ["rentals", "dteday"]


def test_a_key_is_never_a_feature():
    with pytest.raises(ValueError, match="columns appear twice: temp"):
        replace(BIKE_RENTALS, keys=(Column("temp", "real"),), time_key=None)


def test_a_time_key_must_be_a_key():
    with pytest.raises(ValueError, match="time_key 'hour'"):
        replace(BIKE_RENTALS, time_key="hour")


def test_segments_and_shown_columns_must_be_features():
    with pytest.raises(ValueError, match="not features: moon"):
        replace(BIKE_RENTALS, segments=("moon",))


def test_a_column_name_must_be_an_identifier():
    with pytest.raises(ValueError, match="not an SQL identifier"):
        Column("a; drop table b", "int")


def test_the_lab_has_six_bigint_and_four_real_features():
    types = [feature.sql_type for feature in BIKE_RENTALS.features]
    assert types == ["bigint"] * 6 + ["real"] * 4


def test_every_type_has_a_spark_and_an_arrow_name():
    columns = (
        Column("a", "bigint"),
        Column("b", "int"),
        Column("c", "real"),
        Column("d", "float"),
        Column("e", "varchar", length=5),
        Column("f", "date"),
    )
    assert spark_schema(columns) == (
        "`a` bigint, `b` int, `c` float, `d` double, `e` string, `f` date"
    )
    assert [str(field.type) for field in arrow_schema(columns)] == [
        "int64",
        "int32",
        "float",
        "double",
        "string",
        "date32[day]",
    ]
    assert columns[4].sql_declaration == "varchar(5)"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"features": (Column("forecast_row", "int"),)}, "forecast_row is a column of each"),
        ({"features": (Column("Run_Id", "int"),)}, "Run_Id is a column of each predictions"),
        ({"keys": (Column("predicted_at", "date"),), "time_key": None}, "predicted_at is a"),
        ({"output": "temp"}, "output 'temp' is another column's name"),
        ({"output": "Model_Version"}, "output 'Model_Version' is another"),
        ({"features": (Column("day", "date"),)}, "PREDICT takes no date, which day is"),
    ],
)
def test_columns_that_the_pool_cannot_have_are_refused(fields, reason):
    spec = replace(BIKE_RENTALS, **{"segments": (), "shown": (), "first_day": None} | fields)
    with pytest.raises(SpecError, match=reason):
        spec.check_predictions()


def test_a_column_is_not_ignored():
    with pytest.raises(SpecError, match="temp is ignored, and is a column too"):
        replace(BIKE_RENTALS, ignored=("temp",))


def test_a_column_of_the_files_may_be_ignored_that_has_the_name_of_another_one():
    replace(BIKE_RENTALS, columns={"temp": "Temperature"}, ignored=("temp",))


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Column("a", "int", minimum=2, maximum=1), "a: minimum is 2, above maximum, 1"),
        (lambda: Column("a", "int", maximum=NAN), "finite"),
        (lambda: Column("a", "float", suspicious=(INFINITE,)), "finite"),
        (lambda: Schedules(recent_hours=-1), "recent_hours is -1"),
        (lambda: Schedules(recent_hours=INFINITE), "recent_hours is inf"),
        (lambda: Freshness(scored_hours=INFINITE), "scored_hours inf"),
        (lambda: Freshness(trained_warning_hours=0.001), "a minute at least"),
        (lambda: Thresholds(drift_psi=NAN), "drift_psi is nan"),
        (lambda: Thresholds(min_gain=-0.1), "min_gain is -0.1"),
        (lambda: Thresholds(min_spearman=2), "min_spearman is 2"),
        (lambda: TrainingSettings(min_rows_per_second=NAN), "min_rows_per_second is nan"),
        (lambda: TrainingSettings(max_training_hours=NAN), "max_training_hours is nan"),
    ],
)
def test_numbers_that_no_setting_can_have_are_refused(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()
