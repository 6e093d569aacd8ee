"""Small data sets for the AutoML tests, and what an exported graph predicts of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from bikecast.core.spec import Column, ModelSpec
from bikecast.core.sql_types import arrow_schema, type_names
from bikecast.embedded.automl.data import Dataset, dataset_from_arrow
from tests.second_spec import COFFEE_SALES

DAY = Column("day", "date")
#: The coffee model with days, a cycle and a 0/1 column: every kind of block and input.
TIMED_COFFEE = replace(
    COFFEE_SALES,
    features=(
        *COFFEE_SALES.features,
        Column("weekday", "bigint", codes=tuple(range(7))),
        Column("rainy", "int", codes=(0, 1)),
    ),
    keys=(DAY,),
    time_key="day",
)


def coffee_table(rows: int = 120, *, seed: int = 1, missing: bool = False) -> pa.Table:
    """A table of TIMED_COFFEE; with `missing`, some prices and drinks are null."""
    rng = np.random.default_rng(seed)
    drinks = np.array(["americano", "cappuccino", "espresso", "flat white"])
    drink = rng.integers(0, 4, rows)
    price = rng.uniform(1.5, 6, rows)
    weekday = np.arange(rows) % 7
    cups = 30 + 8 * drink - 4 * price + 3 * np.cos(weekday) + rng.normal(0, 1, rows)
    gone = rng.random(rows) < 0.1 if missing else np.zeros(rows, dtype=bool)
    columns = {
        "drink": pa.array(drinks[drink], mask=np.roll(gone, 3)),
        "price": pa.array(price, mask=gone),
        "seats": rng.integers(4, 60, rows).astype(np.int32),
        "outdoor_temp": rng.uniform(-8, 34, rows).astype(np.float32),
        "weekday": weekday.astype(np.int64),
        "rainy": rng.integers(0, 2, rows).astype(np.int32),
        "cups": np.maximum(0, cups.round()).astype(np.int64),
        "day": pa.array(np.datetime64("2024-01-01") + np.arange(rows)),
    }
    return pa.table(columns).cast(arrow_schema(TIMED_COFFEE.training_columns))


def coffee_data(rows: int = 120, *, seed: int = 1, missing: bool = False) -> Dataset:
    """The dataset of `coffee_table`."""
    return dataset_from_arrow(TIMED_COFFEE, coffee_table(rows, seed=seed, missing=missing))


def predict_onnx(
    model: bytes, columns: tuple[Column, ...], values: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Score arrays by ONNX Runtime, as PREDICT would: float32 [rows]."""
    import onnxruntime

    feed = {}
    for column in columns:
        array = values[column.name]
        if column.sql_type == "varchar":
            array = np.array(["" if text is None else text for text in array], dtype=object)
        feed[column.name] = array.astype(type_names(column).numpy)[:, None]
    return np.ravel(onnxruntime.InferenceSession(model).run(None, feed)[0])


def write_delta(lake: Path, spec: ModelSpec, table: pa.Table) -> None:
    """Write the spec's training table into a lake folder."""
    from deltalake import write_deltalake

    write_deltalake(lake / spec.training_table_path, table)
