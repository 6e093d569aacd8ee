"""The SQL type of stored predictions."""

from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.output_type import OutputType
from bikecast.core.sql_types import arrow_output_type, spark_output_type


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_a_stored_prediction_is_no_further_from_the_models_than_its_rounding(value, decimals):
    for sql, step in (
        ("bigint", Decimal(1)),
        (f"decimal(18, {decimals})", Decimal(10) ** -decimals),
    ):
        stored = Decimal(value).quantize(step, ROUND_HALF_UP)
        difference = abs(stored - Decimal(value))
        assert difference <= Decimal(OutputType(sql).rounding) + Decimal("1e-15")
        assert OutputType(sql).rounding <= step


@pytest.mark.parametrize("sql", ["real", "float"])
def test_a_prediction_that_is_not_rounded_must_be_the_models(sql):
    assert OutputType(sql).rounding == 0


@pytest.mark.parametrize(
    ("sql", "spark", "arrow"),
    [
        ("real", "float", pa.float32()),
        ("float", "double", pa.float64()),
        ("int", "int", pa.int32()),
        ("bigint", "bigint", pa.int64()),
        ("decimal(9, 2)", "decimal(9, 2)", pa.decimal128(9, 2)),
    ],
)
def test_spark_and_arrow_have_a_type_of_the_same_values(sql, spark, arrow):
    assert spark_output_type(OutputType(sql)) == spark
    assert arrow_output_type(OutputType(sql)) == arrow
