import random
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from bikecast.core.errors import BikecastError
from resources.spark.delta_table import canonical, commit_table, current_files, data_version
from tests.second_spec import COFFEE_SALES


@pytest.fixture
def table():
    return pa.table({"a": [1, None, 3], "t": ["x", "", None]})


def test_the_data_version_does_not_depend_on_buffers(table):
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    padded = pa.concat_tables([table, table]).slice(3)
    assert data_version(pieces) == data_version(padded) == data_version(table)


@pytest.mark.parametrize(
    "other",
    [
        {"a": [1, 0, 3], "t": ["x", "", None]},
        {"a": [1, None, 3], "t": ["x", None, ""]},
        {"a": [1, None, 3], "t": ["", "x", None]},
        {"b": [1, None, 3], "t": ["x", "", None]},
        {"a": pa.array([1, None, 3], pa.int32()), "t": ["x", "", None]},
    ],
)
def test_any_difference_is_another_data_version(table, other):
    assert data_version(pa.table(other)) != data_version(table)


def test_equal_rows_in_any_order_have_one_canonical_form():
    columns = {"drink": ["a", "b"], "price": [2.0, 1.0], "seats": [1, 2], "outdoor_temp": [0.5, 1]}
    table = pa.table(columns | {"cups": [1, 2]})
    swapped = table.take([1, 0])
    assert canonical(table, COFFEE_SALES).equals(canonical(swapped, COFFEE_SALES))


def test_a_commit_by_somebody_else_is_noticed(tmp_path, table):
    path = tmp_path / "t"
    first = commit_table(path, table)
    write_deltalake(str(path), table.slice(0, 1), mode="overwrite")
    again = commit_table(path, table)
    assert (again.changed, again.delta_version) == (True, 2)
    assert again.data_version == first.data_version


def test_a_foreign_commit_of_the_same_rows_is_no_change(tmp_path, table):
    path = tmp_path / "t"
    write_deltalake(str(path), table)
    assert not commit_table(path, table).changed


def test_another_schema_replaces_the_old_one(tmp_path, table):
    commit_table(tmp_path / "t", table)
    assert commit_table(tmp_path / "t", table.select(["t"])).changed
    assert DeltaTable(str(tmp_path / "t")).to_pyarrow_table().schema.names == ["t"]


def test_writers_at_the_same_moment_make_one_commit(tmp_path, table):
    results = []
    barrier = threading.Barrier(4)

    def write():
        barrier.wait()
        results.append(commit_table(tmp_path / "t", table))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.changed for result in results) == [False, False, False, True]
    assert {result.delta_version for result in results} == {0}


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path, table):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BikecastError, match="The old version of it is unchanged"):
        commit_table(tmp_path / "file" / "t", table)


def test_a_path_without_a_table_has_no_files(tmp_path):
    assert current_files(tmp_path / "none") == []


@pytest.mark.slow
def test_a_killed_writer_leaves_a_whole_table_and_no_lock(tmp_path):
    path = tmp_path / "t"
    script = (
        "import sys; from pathlib import Path; import pyarrow as pa\n"
        "from resources.spark.delta_table import commit_table\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    commit_table(Path(sys.argv[1]), pa.table({'a': [n] * 200_000}))\n"
    )
    for seed in range(8):
        with subprocess.Popen([sys.executable, "-c", script, str(path)]) as writer:
            before = current_files(path)
            while current_files(path) == before:
                time.sleep(0.05)
            time.sleep(random.Random(seed).random())
            writer.send_signal(signal.SIGKILL)
        values = set(DeltaTable(str(path)).to_pyarrow_table()["a"].to_pylist())
        assert len(values) == 1
        assert commit_table(path, pa.table({"a": [-seed - 1] * 3})).changed
