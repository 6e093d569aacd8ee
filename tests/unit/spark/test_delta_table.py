import random
import signal
import subprocess
import sys
import threading
import time
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from bikecast.core.errors import BikecastError, Damaged
from bikecast.core.spec import Column
from resources.lake.local import LocalLake
from resources.spark.content import Content
from resources.spark.delta_table import PREPARED, commit_folder, current_files

COLUMNS = (Column("a", "bigint"), Column("t", "varchar"))


def content(table):
    """Rows and a sum of their hashes, as an engine has them."""
    return Content(table.num_rows, (sum(hash(str(row)) for row in table.to_pylist()),))


def commit(path, table, columns=COLUMNS):
    """Write a table's Parquet file as an engine does, and commit it."""
    folder = f"{PREPARED}{uuid.uuid4().hex}"
    (path / folder).mkdir(parents=True)
    pq.write_table(table, path / folder / "part-0.parquet")
    return commit_folder(
        LocalLake(root=str(path.parent)),
        path.name,
        path,
        folder,
        columns,
        content(table),
        lambda files: content(pa.concat_tables([pq.read_table(file) for file in files])),
    )


@pytest.fixture
def table():
    return pa.table({"a": [1, None, 3], "t": ["x", "", None]})


def test_contents_of_parts_add_up_and_the_sums_do_not_overflow():
    whole = Content(2, (1 << 62, 5)) + Content(1, (1 << 62, -7))
    assert whole == Content(3, (1 << 63, -2))
    assert len(whole.version(COLUMNS)) == 64
    assert whole.version(COLUMNS) != whole.version(COLUMNS[:1])
    assert whole.version(COLUMNS) != Content(2, whole.sums).version(COLUMNS)


def test_the_same_content_is_committed_once(tmp_path, table):
    first, second = commit(tmp_path / "t", table), commit(tmp_path / "t", table.take([2, 0, 1]))
    assert (first.changed, second.changed) == (True, False)
    assert (second.data_version, second.delta_version) == (first.data_version, 0)
    assert len(list((tmp_path / "t").glob(f"{PREPARED}*"))) == 1


def test_a_commit_by_somebody_else_is_noticed(tmp_path, table):
    path = tmp_path / "t"
    first = commit(path, table)
    write_deltalake(str(path), table.slice(0, 1), mode="overwrite")
    again = commit(path, table)
    assert (again.changed, again.delta_version) == (True, 2)
    assert again.data_version == first.data_version


def test_a_foreign_commit_of_the_same_rows_is_no_change(tmp_path, table):
    path = tmp_path / "t"
    write_deltalake(str(path), table)
    assert not commit(path, table).changed


def test_another_schema_replaces_the_old_one(tmp_path, table):
    commit(tmp_path / "t", table)
    assert commit(tmp_path / "t", table.select(["t"]), COLUMNS[1:]).changed
    assert DeltaTable(str(tmp_path / "t")).to_pyarrow_table().schema.names == ["t"]


def test_files_of_another_schema_are_not_committed(tmp_path, table):
    with pytest.raises(BikecastError, match="the columns are"):
        commit(tmp_path / "t", table.select(["t"]))
    assert current_files(tmp_path / "t") == []


def test_writers_at_the_same_moment_make_one_commit(tmp_path, table):
    results = []
    barrier = threading.Barrier(4)

    def write():
        barrier.wait()
        results.append(commit(tmp_path / "t", table))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.changed for result in results) == [False, False, False, True]
    assert {result.delta_version for result in results} == {0}


def test_a_damaged_log_is_told_with_the_command_that_mends_it(tmp_path, table):
    commit(tmp_path / "t", table)
    [log] = (tmp_path / "t" / "_delta_log").glob("*.json")
    log.write_text("{")
    with pytest.raises(Damaged, match=r"_delta_log is damaged.*\n.*bikecast repair"):
        commit(tmp_path / "t", table)


def test_a_path_without_a_table_has_no_files(tmp_path):
    assert current_files(tmp_path / "none") == []


@pytest.mark.slow
def test_a_killed_writer_leaves_a_whole_table_and_no_lock(tmp_path):
    path = tmp_path / "t"
    script = (
        "import sys; from pathlib import Path; import pyarrow as pa\n"
        "from tests.unit.spark.test_delta_table import COLUMNS, commit\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    table = pa.table({'a': [n] * 200_000})\n"
        "    commit(Path(sys.argv[1]), table, COLUMNS[:1])\n"
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
        assert commit(path, pa.table({"a": [-seed - 1] * 3}), COLUMNS[:1]).changed
