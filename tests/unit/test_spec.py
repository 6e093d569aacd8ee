from dataclasses import replace

import pytest

from bikecast.core.spec import Column
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
