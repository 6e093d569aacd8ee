"""A source of many files: read one after the other, kept beside each other, and appended to."""

import csv
import gzip
import shutil
from contextlib import contextmanager

import pytest
from deltalake import write_deltalake

from assets.lake import csv_files
from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate, write_csv
from resources.lake import csv_file, many_files
from resources.lake.csv_file import read_training_csv
from resources.lake.csv_format import csv_format
from resources.lake.local import LocalLake
from resources.lake.port import CsvFormat
from resources.lake.raw_files import digest_of, engine_path, original_line, store
from resources.lake.sources import Sources

TRAINING = csv_files(SPEC)[0]
YEAR = simulate(years=1)


@pytest.fixture
def lake(tmp_path):
    return LocalLake(root=str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path):
    """January and February, and a file that is no table."""
    folder = tmp_path / "months"
    folder.mkdir()
    write_csv(YEAR.slice(0, 31), folder / "2011-01.csv")
    write_csv(YEAR.slice(31, 28), folder / "2011-02.csv")
    (folder / "readme.md").write_text("rentals by month")
    return folder


@contextmanager
def fetched(lake, source, told=CsvFormat()):  # noqa: B008
    with Sources(lake, {SPEC.source_file: str(source)}, told).fetch(SPEC.source_file) as file:
        yield file


def run(lake, source, told=CsvFormat()):  # noqa: B008
    """Read, store and commit a source, as a run does; what was read."""
    with fetched(lake, source, told) as file:
        content = TRAINING.read(file, SPEC, lake)
        store(lake, SPEC.source_file, file.path, content, SPEC, told, file.parts)
    table = read_training_csv(lake.local_path(SPEC.source_file), SPEC, source_name="lake").table
    write_deltalake(lake.url(SPEC.training_table_path), table, mode="overwrite")
    return content


@pytest.fixture
def read_files(monkeypatch):
    """Names of the files that are recognised, and of those that are hashed."""
    names = []
    recognise, digest = csv_file.recognise, many_files.file_digest
    monkeypatch.setattr(
        csv_file, "recognise", lambda path, *rest: names.append(path.name) or recognise(path, *rest)
    )
    monkeypatch.setattr(
        many_files, "file_digest", lambda path: names.append(path.name) or digest(path)
    )
    return names


def days(lake):
    table = read_training_csv(lake.local_path(SPEC.source_file), SPEC, source_name="lake").table
    return table["dteday"].to_pylist()


@pytest.mark.parametrize(
    ("source", "rows"), [("months", 59), ("months/2011-*.csv", 59), ("m*/*01.csv", 31)]
)
def test_the_files_of_a_folder_or_a_glob_are_one_table(lake, folder, source, rows):
    content = run(lake, folder.parent / source)
    assert content.rows == rows
    assert days(lake) == YEAR["dteday"].to_pylist()[:rows]
    assert engine_path(lake, SPEC.source_file, SPEC, "training") == SPEC.source_file


def test_each_file_may_be_written_in_its_own_way_and_is_kept_as_it_came(lake, folder):
    plain = folder / "2011-02.csv"
    other = plain.read_text().replace(",", ";").encode("utf-16")
    (folder / "2011-02.csv.gz").write_bytes(gzip.compress(other))
    plain.unlink()
    content = run(lake, folder)
    assert days(lake) == YEAR["dteday"].to_pylist()[:59]
    assert any("compressed by gzip" in finding for finding in content.findings)
    kept = lake.local_path(SPEC.source_file.replace(".csv", ".parts/2011-02.csv.gz"))
    assert gzip.decompress(kept.read_bytes()) == other


def test_of_a_new_month_that_month_alone_is_read(lake, folder, read_files):
    run(lake, folder)
    write_csv(YEAR.slice(59, 31), folder / "2011-03.csv")
    read_files.clear()
    with fetched(lake, folder) as file:
        content = TRAINING.read(file, SPEC, lake)
        assert set(read_files) == {"2011-03.csv", "merged.csv"}
        assert content.rows == 90
        assert content.part_rows == (31, 28, 31)
        assert (
            "1 of 3 files are new and were read; their 31 rows follow the 59"
            in (content.findings[0])
        )
    run(lake, folder)
    assert days(lake) == YEAR["dteday"].to_pylist()[:90]


def test_appended_months_are_the_table_that_all_months_at_once_are(lake, folder, tmp_path):
    run(lake, folder)
    write_csv(YEAR.slice(59, 31), folder / "2011-03.csv")
    run(lake, folder)
    once = LocalLake(root=str(tmp_path / "once"))
    run(once, folder)
    assert lake.stat(SPEC.source_file) == once.stat(SPEC.source_file)


def test_an_unchanged_folder_is_not_read_and_has_the_digest_of_what_is_stored(
    lake, folder, read_files
):
    run(lake, folder)
    read_files.clear()
    with fetched(lake, folder) as file:
        assert read_files == []
        assert digest_of(file) == lake.stat(SPEC.source_file).digest
        assert TRAINING.read(file, SPEC, lake).rows == 59
        assert digest_of(file) == lake.stat(SPEC.source_file).digest


@pytest.mark.parametrize("change", ["changed", "removed", "renamed", "committed by half"])
def test_anything_but_new_files_at_the_end_reads_all(lake, folder, read_files, change):
    run(lake, folder)
    write_csv(YEAR.slice(59, 31), folder / "2011-03.csv")
    if change == "changed":
        write_csv(YEAR.slice(0, 30), folder / "2011-01.csv")
    elif change == "removed":
        (folder / "2011-01.csv").unlink()
    elif change == "renamed":
        shutil.move(folder / "2011-01.csv", folder / "2011-04.csv")
    else:
        table = read_training_csv(folder / "2011-01.csv", SPEC, source_name="x").table
        write_deltalake(lake.url(SPEC.training_table_path), table, mode="overwrite")
    read_files.clear()
    with fetched(lake, folder) as file:
        content = TRAINING.read(file, SPEC, lake)
    assert {path.name for path in folder.glob("*.csv")} <= set(read_files)
    assert content.rows == {"changed": 89, "removed": 59}.get(change, 90)


def test_a_key_that_the_committed_table_has_is_refused(lake, folder):
    run(lake, folder)
    before = lake.stat(SPEC.source_file)
    write_csv(YEAR.slice(58, 31), folder / "2011-03.csv")
    with pytest.raises(InvalidInput, match=r"2011-03\.csv: 1 rows have keys \(dteday\) that"):
        run(lake, folder)
    assert lake.stat(SPEC.source_file) == before


def test_a_key_in_two_files_is_refused_and_the_lines_are_named(lake, folder):
    write_csv(YEAR.slice(30, 28), folder / "2011-02.csv")
    with pytest.raises(InvalidInput, match="is already on line 32") as caught:
        run(lake, folder)
    assert "2011-01.csv 2 to 32, 2011-02.csv 33 to 60" in str(caught.value)
    assert lake.stat(SPEC.source_file) is None


def test_a_bad_value_is_named_by_file_and_line(lake, folder):
    path = folder / "2011-02.csv"
    with path.open() as file:
        rows = list(csv.reader(file))
    rows[3][rows[0].index("mnth")] = "13"
    path.write_text("\n".join(map(",".join, rows)))
    with pytest.raises(InvalidInput, match=r"2011-02\.csv, line 4, column mnth"):
        run(lake, folder)


def test_another_format_or_model_reads_all_again(lake, folder, read_files):
    run(lake, folder)
    read_files.clear()
    with fetched(lake, folder, csv_format(decimal="point")) as file:
        assert file.earlier is None
        TRAINING.read(file, SPEC, lake)
    assert {"2011-01.csv", "2011-02.csv"} <= set(read_files)


def test_a_row_is_found_in_the_file_that_it_came_from(lake, folder):
    run(lake, folder)
    line, text = original_line(lake, SPEC.source_file, SPEC, "training", 33)
    assert line == 3
    assert text == (folder / "2011-02.csv").read_text().splitlines()[2]
    assert original_line(lake, SPEC.source_file, SPEC, "training", 60) is None
