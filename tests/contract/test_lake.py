"""What every lake does; one adapter more is one parameter more."""

import hashlib

import pytest

from bikecast.core.errors import InvalidInput
from resources.lake.local import LocalLake


@pytest.fixture(params=["local", "adls"])
def lake(request, tmp_path):
    if request.param == "local":
        return LocalLake(root=str(tmp_path / "lake"))
    pytest.importorskip("dagster_azure")
    request.getfixturevalue("cloud")
    from resources.lake.adls import AdlsLake

    return AdlsLake.of("bikelake", "files")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.csv"
    path.write_bytes(b"a,b\n1,2\n")
    return path


def test_a_stored_file_is_described_by_size_and_sha256(lake, source):
    stored = lake.put("data/x.csv", source)
    assert stored.path == "data/x.csv"
    assert stored.size == 8
    assert stored.digest == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert lake.stat("data/x.csv") == stored


def test_a_stored_file_reads_back(lake, source):
    lake.put("data/x.csv", source)
    with lake.open("data/x.csv") as file:
        assert file.read() == b"a,b\n1,2\n"
    with lake.local_copy("data/x.csv") as path:
        assert path.read_bytes() == b"a,b\n1,2\n"


def test_new_content_replaces_the_old(lake, source):
    old = lake.put("data/x.csv", source)
    source.write_bytes(b"other")
    assert lake.put("data/x.csv", source) != old
    with lake.open("data/x.csv") as file:
        assert file.read() == b"other"


def test_a_missing_file_has_no_description_and_cannot_be_opened(lake):
    assert lake.stat("data/none.csv") is None
    with pytest.raises(InvalidInput, match=r"no file data/none\.csv"):
        lake.open("data/none.csv")
    with (
        pytest.raises(InvalidInput, match=r"no file data/none\.csv"),
        lake.local_copy("data/none.csv"),
    ):
        pass


def test_a_source_that_is_missing_leaves_the_lake_as_it_was(lake, source, tmp_path):
    stored = lake.put("data/x.csv", source)
    with pytest.raises(InvalidInput, match=r"data/x\.csv in the lake is unchanged"):
        lake.put("data/x.csv", tmp_path / "none.csv")
    assert lake.stat("data/x.csv") == stored


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".", "a\\b", "a\0b"])
def test_a_path_outside_the_lake_is_refused(lake, source, path):
    with pytest.raises(InvalidInput, match="not a path inside the lake"):
        lake.put(path, source)


def test_the_url_and_the_options_are_enough_to_read_a_delta_table(lake):
    deltalake = pytest.importorskip("deltalake")
    import pyarrow as pa

    url, options = lake.url("tables/t"), lake.table_options()
    deltalake.write_deltalake(url, pa.table({"a": [1, 2]}), storage_options=options)
    table = deltalake.DeltaTable(url, storage_options=options)
    assert table.to_pyarrow_table()["a"].to_pylist() == [1, 2]
    assert url.endswith("/tables/t")
