"""Reading and refusing training data; the spec as JSON."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.spec_json import spec_from_json, spec_to_json
from bikecast.embedded.automl import row_limit as row_limit_module
from bikecast.embedded.automl.data import dataset_from_arrow, read_dataset, sample_notes
from bikecast.embedded.automl.row_limit import BYTES_A_VALUE, row_limit
from pipelines.bike_rentals import BIKE_RENTALS
from tests.second_spec import COFFEE_SALES
from tests.unit.automl.tables import TIMED_COFFEE, coffee_table, write_delta


def with_column(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    position = table.column_names.index(name)
    return table.set_column(position, name, pa.array(values))


def test_rows_come_in_the_same_order_whatever_the_files(tmp_path):
    table = coffee_table()
    shuffled = table.take(np.random.default_rng(0).permutation(table.num_rows))
    write_delta(tmp_path / "a", TIMED_COFFEE, table)
    write_delta(tmp_path / "b", TIMED_COFFEE, shuffled)
    path = TIMED_COFFEE.training_table_path
    first, _ = read_dataset(TIMED_COFFEE, tmp_path / "a" / path)
    second, facts = read_dataset(TIMED_COFFEE, tmp_path / "b" / path)
    assert first.target.tolist() == second.target.tolist()
    assert first.time_labels == second.time_labels
    assert facts == {"delta_version": 0, "rows": 120, "rows_there": 120}


@pytest.mark.parametrize("told", ["by people", "by memory"])
def test_of_a_larger_table_a_sample_is_read_that_keeps_time_order(tmp_path, monkeypatch, told):
    table = coffee_table()
    write_delta(tmp_path / "a", TIMED_COFFEE, table)
    write_delta(tmp_path / "b", TIMED_COFFEE, table.take(pa.array(range(119, -1, -1))))
    spec, path = TIMED_COFFEE, TIMED_COFFEE.training_table_path
    if told == "by people":
        spec = replace(spec, training=replace(spec.training, max_rows=50))
    else:
        values = 2 * BYTES_A_VALUE * len(spec.training_columns)
        monkeypatch.setattr(row_limit_module, "memory", lambda: 50 * values)
    (first, facts), (second, _) = (read_dataset(spec, tmp_path / name / path) for name in "ab")
    assert facts == {"delta_version": 0, "rows": 50, "rows_there": 120}
    assert first.rows == 50
    [note] = sample_notes(spec, facts)
    assert note.startswith("trained and scored on 50 of the 120 rows of coffee")
    assert first.target.tolist() == second.target.tolist()
    assert list(first.time_labels) == sorted(first.time_labels)


def test_a_container_may_have_less_memory_than_the_machine(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "unlimited").write_text("max\n")
    monkeypatch.setattr(
        row_limit_module,
        "_CONTAINER",
        (tmp_path / "memory.max", tmp_path / "unlimited", tmp_path / "absent"),
    )
    assert row_limit(10) == 1_000_000 // (2 * BYTES_A_VALUE * 10)
    assert row_limit(10, 5) == 5


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"no Delta table at .*nowhere"):
        read_dataset(TIMED_COFFEE, tmp_path / "nowhere")


def test_a_missing_column_is_named(tmp_path):
    write_delta(tmp_path, TIMED_COFFEE, coffee_table().drop_columns(["price", "seats"]))
    with pytest.raises(InvalidInput, match="lacks the columns price, seats"):
        read_dataset(TIMED_COFFEE, tmp_path / TIMED_COFFEE.training_table_path)


def test_too_few_rows_are_refused():
    with pytest.raises(InvalidInput, match="19 usable rows; training needs at least 20"):
        dataset_from_arrow(TIMED_COFFEE, coffee_table(19))


def test_a_constant_target_is_refused():
    with pytest.raises(InvalidInput, match="'cups' is 7 in every row"):
        dataset_from_arrow(TIMED_COFFEE, with_column(coffee_table(), "cups", [7] * 120))


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_target_that_is_not_finite_is_refused(bad):
    table = with_column(coffee_table(), "cups", [1.0, bad, *map(float, range(118))])
    with pytest.raises(InvalidInput, match="in 1 of 120 rows"):
        dataset_from_arrow(TIMED_COFFEE, table)


def test_an_infinite_feature_is_refused():
    table = with_column(coffee_table(), "price", [float("inf"), *map(float, range(119))])
    with pytest.raises(InvalidInput, match="'price' has an infinite value"):
        dataset_from_arrow(TIMED_COFFEE, table)


def test_a_missing_time_is_refused():
    table = coffee_table()
    days = [None, *table["day"].to_pylist()[1:]]
    with pytest.raises(InvalidInput, match="time key 'day' has 1 missing"):
        dataset_from_arrow(TIMED_COFFEE, with_column(table, "day", days))


@pytest.mark.parametrize("spec", [BIKE_RENTALS, COFFEE_SALES, replace(TIMED_COFFEE, labels={})])
def test_a_spec_survives_json(spec):
    assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec


def test_a_spec_of_another_version_is_refused():
    with pytest.raises(ValueError, match="ModelSpec has no fields colour"):
        spec_from_json({**spec_to_json(COFFEE_SALES), "colour": "red"})
