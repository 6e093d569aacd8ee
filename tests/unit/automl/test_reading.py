"""A CSV is read whatever its separator, encoding and compression; no table is refused with why."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from bikecast.core.errors import InvalidInput
from bikecast.embedded.automl.reading import read_csv

CONTENT = "a;b\n1;2,5\n;x\n"
TABLE = {"a": ["1", None], "b": ["2,5", "x"]}


def columns(path, content):
    path.write_bytes(content)
    return read_csv(path)


@pytest.mark.parametrize(
    "content",
    [
        CONTENT.encode(),
        CONTENT.replace("\n", "\r\n").encode("utf-8-sig"),
        CONTENT.encode("utf-16"),
        gzip.compress(CONTENT.encode(), mtime=0),
        b"sep=;\n" + CONTENT.encode(),
        b'"sep=;"\r\n' + CONTENT.encode(),
    ],
)
def test_a_file_is_read_whatever_it_is_written_in(tmp_path, content):
    texts = columns(tmp_path / "t.csv", content)
    assert texts.table.to_pydict() == TABLE
    assert "separated by semicolons" in " ".join(texts.notes)


def test_text_that_is_not_utf_8_is_windows_1252_and_said(tmp_path):
    texts = columns(tmp_path / "t.csv", "Größe,y\n1,2\n".encode("cp1252"))
    assert texts.table.column_names == ["Größe", "y"]
    assert "read as Windows-1252" in texts.notes[0]


def test_separators_within_quotes_are_no_separators(tmp_path):
    content = b'"Temp, C, mean";"Hum, %"\n1;"a;b"\n'
    texts = columns(tmp_path / "t.csv", content)
    assert texts.table.to_pydict() == {"Temp, C, mean": ["1"], "Hum, %": ["a;b"]}


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"a,x;b,y\n1,5;2,5\n2,5;3,5\n", {"a,x": ["1,5", "2,5"], "b,y": ["2,5", "3,5"]}),
        (b"a,x;town\n1,5;Bonn\n2,5;Ulm\n", {"a,x": ["1,5", "2,5"], "town": ["Bonn", "Ulm"]}),
        (b"a,x|y,z\nm,1|2,3\nn,2|3,4\n", {"a": ["m", "n"], "x|y": ["1|2", "2|3"], "z": ["3", "4"]}),
    ],
)
def test_commas_of_the_header_are_no_separators_where_others_leave_numbers(tmp_path, content, read):
    """Two decimal commas and one semicolon were three columns."""
    assert columns(tmp_path / "t.csv", content).table.to_pydict() == read


@pytest.mark.parametrize("first", [b"sep=\t\n", b'"sep=\t"\r\n'])
def test_a_tab_may_be_named_as_the_separator(tmp_path, first):
    assert columns(tmp_path / "t.csv", first + b"a\n1\n").table.to_pydict() == {"a": ["1"]}


def test_a_header_of_two_lines_within_quotes_is_one_header(tmp_path):
    texts = columns(tmp_path / "t.csv", b'"a\nb",y\n1,2\n3,4\n')
    assert texts.table.to_pydict() == {"a\nb": ["1", "3"], "y": ["2", "4"]}


def test_a_column_without_a_name_gets_one(tmp_path):
    texts = columns(tmp_path / "t.csv", b",y\n0,2\n1,4\n")
    assert texts.table.column_names == ["column 1", "y"]
    assert "has no name" in texts.notes[0]


def test_names_that_differ_in_case_are_two_columns(tmp_path):
    assert columns(tmp_path / "t.csv", b"t,T\n0,2\n").table.column_names == ["t", "T"]


def test_a_column_whose_text_comes_late_is_text_from_the_start(tmp_path):
    rows = "".join(f"{number},1\n" for number in range(200_000))
    texts = columns(tmp_path / "t.csv", f"a,y\n{rows}late,1\n".encode())
    assert texts.table["a"].type == pa.string()
    assert texts.table.num_rows == 200_001


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"ab\0c\n", "null characters"),
        (b"PK\x03\x04....", "a zip archive, or a workbook of a spreadsheet"),
        (b"PAR1....", "a Parquet file"),
        (b"a,a\n1,2\n", "'a' twice"),
        (b"a,b\n1,2\n1,2,3\n", "separated by commas"),
        (gzip.compress(b"a,b\n" * 99, mtime=0)[:20], "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, reason):
    with pytest.raises(InvalidInput, match=reason):
        columns(tmp_path / "t.csv", content)


def test_a_row_that_cannot_be_read_is_not_cited(tmp_path):
    with pytest.raises(InvalidInput, match="Expected 2 columns") as caught:
        columns(tmp_path / "t.csv", b"a,b\n1,2\n1,SECRET,3\n")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_beyond_the_limit_is_refused_before_it_is_read_whole(tmp_path, pack):
    """A sparse file, a device or a packed one of gigabytes took all memory."""
    path = tmp_path / "t.csv"
    path.write_bytes(pack(b"a,b\n" + b"1,2\n" * (1 << 18)))
    with pytest.raises(InvalidInput, match=r"larger than 1 MiB.*BIKECAST_MAX_TABLE_MB"):
        read_csv(path, 1 << 20)
    with pytest.raises(InvalidInput, match="larger than 1 MiB"):
        read_csv(Path("/dev/zero"), 1 << 20)


def test_a_first_line_without_end_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="first line is longer than 1,048,576"):
        columns(tmp_path / "t.csv", b"a" * (1 << 21))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_csv(tmp_path / "none.csv")
