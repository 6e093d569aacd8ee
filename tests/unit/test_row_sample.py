"""The sample of rows: which it takes depends on their content alone."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikecast.core import row_sample
from bikecast.core.row_sample import row_blocks, row_hashes, sample_rows

ROWS = 5000
TABLE = pa.table(
    {
        "day": pa.array([dt.date(2011, 1, 1) + dt.timedelta(n // 24) for n in range(ROWS)]),
        "hour": pa.array([n % 24 for n in range(ROWS)], pa.int32()),
        "value": pa.array(np.arange(ROWS) / 7),
        "text": pa.array([None if n % 11 == 0 else f"t{n % 13}" for n in range(ROWS)]),
    }
)
#: For blocks of any size, down to a row.
FEW = TABLE.slice(0, 500)
KEYS = ("day", "hour")


def blocks(table, size):
    return [table.slice(start, size) for start in range(0, table.num_rows, size)]


def sample(table, most, size=700, by=KEYS):
    return sample_rows(blocks(table, size), table.schema, by, most=most)


@given(st.integers(1, FEW.num_rows), st.integers(1, 2 * FEW.num_rows), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_blocks_change_which_rows_are_taken(most, size, seed):
    order = np.random.default_rng(seed).permutation(FEW.num_rows)
    one, other = sample(FEW, most, 70), sample(FEW.take(order), most, size)
    by = [(name, "ascending") for name in KEYS]
    assert one.num_rows == most
    assert one.equals(other.sort_by(by).combine_chunks())


def test_all_rows_are_taken_where_they_are_few():
    assert sample(TABLE, ROWS).equals(TABLE)


def test_the_sample_keeps_the_order_and_is_spread_over_it():
    taken = sample(TABLE, 1000)["value"].to_numpy()
    assert np.all(np.diff(taken) > 0)
    assert np.histogram(taken, 5)[0] == pytest.approx([200] * 5, abs=50)


@pytest.mark.parametrize("distinct", [1, 3])
def test_of_equal_rows_no_more_are_held_than_are_taken_and_a_block(distinct, monkeypatch):
    """Guards memory and the number of rows, where a limit that is guessed takes all or none."""
    table = pa.table({"x": np.arange(40_000) % distinct, "place": np.arange(40_000)})
    held = []
    concat = pa.concat_tables
    monkeypatch.setattr(
        pa, "concat_tables", lambda parts: held.append(sum(map(len, parts))) or concat(parts)
    )
    taken = sample(table, 400, size=1000, by=["x"])
    assert taken.num_rows == 400
    assert max(held) < 400 * 1.25 + 2 * 1000 + 400
    assert taken.equals(sample(table, 400, size=333, by=["x"]))


def test_a_table_is_read_in_blocks_whatever_its_row_groups_and_files(tmp_path, monkeypatch):
    """Guards memory: the library's own scan holds whole row groups, and the next file's too."""
    monkeypatch.setattr(row_sample, "_BLOCK_ROWS", 300)
    pq.write_table(TABLE.slice(0, 4000), tmp_path / "a.parquet", row_group_size=4000)
    pq.write_table(TABLE.slice(4000), tmp_path / "b.parquet")
    names = ["value", "day"]
    found = list(row_blocks(ds.dataset(tmp_path), names))
    assert max(map(len, found)) == 300
    assert pa.concat_tables(found).equals(TABLE.select(names))


def test_a_column_that_a_file_lacks_and_a_table_in_memory_are_read_by_the_dataset(tmp_path):
    pq.write_table(TABLE.select(["hour"]), tmp_path / "a.parquet")
    dataset = ds.dataset(tmp_path, schema=TABLE.select(["hour", "text"]).schema)
    [*lacking] = row_blocks(dataset, ["text", "hour"])
    assert pa.concat_tables(lacking)["text"].null_count == ROWS
    assert pa.concat_tables(row_blocks(ds.dataset(TABLE), ["day"])).equals(TABLE.select(["day"]))


def test_a_smaller_sample_is_part_of_a_larger_one():
    small, large = (set(sample(TABLE, most)["value"].to_pylist()) for most in (300, 900))
    assert small < large


@pytest.mark.parametrize("column", TABLE.column_names)
def test_a_column_alone_tells_its_values_apart(column):
    hashes = row_hashes(TABLE, [column])
    assert len(set(hashes.tolist())) == len(set(TABLE[column].to_pylist()))


def test_equal_numbers_have_equal_hashes_whatever_their_sign_of_zero():
    assert len(set(row_hashes(pa.table({"x": [0.0, -0.0]}), ["x"]).tolist())) == 1
