import csv
import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column
from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS
from resources.lake import rows as rows_module
from resources.lake.csv_file import (
    read_csv,
    read_scoring_csv,
    read_training_csv,
    write_scoring_rows,
)
from resources.lake.csv_problems import find_problems
from resources.lake.dialect import Dialect
from tests.second_spec import COFFEE_SALES, write_coffee_files

LAB = Path(__file__).parents[3] / ".." / "shared" / "data"
HEADER = "dteday,season,mnth,holiday,weekday,workingday,weathersit,temp,atemp,hum,windspeed,rentals"
ROW = "1/1/2011,1,1,0,6,0,2,0.344167,0.363625,0.805833,0.160446,331"


def training_file(folder, *rows, header=HEADER, end="\n"):
    path = folder / "in.csv"
    path.write_bytes((end.join([header, *rows]) + end).encode())
    return path


def read(path):
    return read_training_csv(path, BIKE_RENTALS, source_name="in.csv")


def edited(**values):
    fields = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | values
    return ",".join(fields.values())


def test_columns_come_with_the_types_and_the_order_of_the_spec(tmp_path):
    content = read(training_file(tmp_path, ROW))
    assert content.table.schema == arrow_schema(BIKE_RENTALS.training_columns)
    row = content.table.to_pylist()[0]
    assert row["dteday"] == dt.date(2011, 1, 1)
    assert row["rentals"] == 331
    assert np.float32(row["temp"]) == np.float32(0.344167)
    assert content.findings == ()


def test_columns_may_come_in_any_order(tmp_path):
    names = HEADER.split(",")
    path = training_file(tmp_path, ",".join(ROW.split(",")[::-1]), header=",".join(names[::-1]))
    assert read(path).table.equals(read(training_file(tmp_path, ROW)).table)


def test_a_byte_order_mark_crlf_and_quotes_are_accepted(tmp_path):
    plain = read(training_file(tmp_path, ROW)).table
    quoted = ",".join(f'"{field}"' for field in ROW.split(","))
    assert read(training_file(tmp_path, quoted, header="\ufeff" + HEADER, end="\r\n")).table.equals(
        plain
    )


def test_iso_dates_and_blank_lines_are_accepted(tmp_path):
    content = read(training_file(tmp_path, edited(dteday="2011-01-01"), "", ""))
    assert content.rows == 1
    assert content.table["dteday"].to_pylist() == [dt.date(2011, 1, 1)]


def test_a_column_beyond_the_schema_is_a_finding_unless_the_spec_ignores_it(tmp_path):
    content = read(training_file(tmp_path, f"{ROW},1,9", header=f"{HEADER},instant,mood"))
    assert content.findings == ("in.csv: column 'mood' is not in the schema and was left out",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mnth": "13"}, "line 3, column mnth: '13' is not one of the codes 1 to 12"),
        ({"temp": "warm"}, "line 3, column temp: 'warm' is not a number"),
        ({"temp": "nan"}, "line 3, column temp: 'nan' is not a finite number"),
        ({"temp": "-inf"}, "line 3, column temp: '-inf' is not a finite number"),
        ({"temp": "1e39"}, "line 3, column temp: '1e39' does not fit the type real"),
        ({"temp": "9"}, "line 3, column temp: '9' is above the maximum 2"),
        ({"temp": "1 1"}, "line 3, column temp: '1 1' is not a number"),
        ({"hum": ""}, "line 3, column hum: the value is missing"),
        ({"rentals": "-1"}, "line 3, column rentals: '-1' is below the minimum 0"),
        ({"rentals": "3.5"}, "line 3, column rentals: '3.5' is not a whole number"),
        ({"rentals": "9" * 19}, r"line 3, column rentals: '9+' does not fit the type bigint"),
        ({"dteday": "31/1/2011"}, "line 3, column dteday: '31/1/2011' is not a date of the form"),
        ({"dteday": "2011-02-30"}, "line 3, column dteday: '2011-02-30' is not a date"),
        ({"dteday": "2011-01-01"}, "line 3, column dteday: 2011-01-01 is already on line 2"),
        ({"season": "1,1"}, "line 3: the row is too long: 13 fields, the header has 12"),
    ],
)
def test_a_bad_value_is_named_with_file_line_and_column(tmp_path, values, message):
    values = {"dteday": "1/2/2011"} | values
    with pytest.raises(InvalidInput, match=f"^in.csv, {message}"):
        read(training_file(tmp_path, ROW, edited(**values)))


def test_a_short_row_is_named_with_its_line(tmp_path):
    with pytest.raises(InvalidInput, match=r"^in\.csv, line 3: the row is too short: 11 fields"):
        read(training_file(tmp_path, ROW, ROW.rpartition(",")[0]))


def test_lines_are_counted_with_blank_ones(tmp_path):
    with pytest.raises(InvalidInput, match=r"^in\.csv, line 5, column mnth"):
        read(training_file(tmp_path, ROW, "", "", edited(dteday="1/2/2011", mnth="0")))


def test_a_line_break_inside_a_field_is_refused(tmp_path):
    files = write_coffee_files(tmp_path)
    files.training.write_text('drink,price,seats,outdoor_temp,cups\n"flat\nwhite",2.5,10,1,3\n')
    with pytest.raises(InvalidInput, match=r"line 2, column drink: .* has a line break"):
        read_training_csv(files.training, COFFEE_SALES, source_name="in.csv")


@pytest.mark.parametrize("content", ["", "season\n1\n", "\xff\n", "a\rb\n"])
@pytest.mark.parametrize("read_file", [read_training_csv, read_scoring_csv])
def test_a_refusal_ends_with_what_is_unchanged_and_what_to_do_next(tmp_path, read_file, content):
    (tmp_path / "in.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(InvalidInput) as caught:
        read_file(tmp_path / "in.csv", BIKE_RENTALS, source_name="in.csv")
    assert str(caught.value).count("Nothing was stored") == 1
    assert str(caught.value).endswith("Correct the file and run again.")


def test_the_first_ten_problems_and_the_number_of_the_rest_are_told(tmp_path):
    rows = [edited(dteday=f"1/{day}/2011", mnth="13") for day in range(1, 26)]
    with pytest.raises(InvalidInput) as caught:
        read(training_file(tmp_path, *rows))
    assert str(caught.value).count("column mnth") == 10
    assert "\nand 15 more\n" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "in.csv is empty"),
        (b"\n1,2\n", "line 1: there are no column names"),
        (HEADER.encode() + b"\n", "line 2: there is no row"),
        (HEADER.encode() + b"\n" + ROW.encode() + b"\n\xff\n", "line 3: not UTF-8 .byte 0xff"),
        (b"\xff\xfe" + HEADER.encode("utf-16-le"), "line 2: there is no row"),
        (b"a\xff,b\n1,2\n", "line 1: not UTF-8"),
        (b"temp," + HEADER.encode() + b"\n", "line 1: columns appear twice: temp"),
        (
            b'"shop\nname",' + HEADER.encode() + b"\n",
            "line 1: a column name in quotes does not end",
        ),
        (b"x,y\n1,2\n", "line 1: missing columns season, mnth"),
        (HEADER.encode() + b"\r" + ROW.encode(), "line 1: a carriage return without a line feed"),
        (HEADER.encode() + b'\n"' + ROW.encode() + b"\n", "line 2: the row is too short"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path, content, message):
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message) as caught:
        read(path)
    assert "in.csv" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(InvalidInput, match=r"cannot read in\.csv: No such file"):
        read(tmp_path / "none.csv")


def test_the_lab_files_keep_the_contract():
    if not LAB.is_dir():
        pytest.skip("the lab's files are not beside this checkout")
    training = read(LAB / "bike-rentals-training.csv")
    assert training.rows == 731
    assert training.findings == ("hum: 1 row has the suspicious value 0 (dteday 2011-03-10), kept",)
    scoring = read_scoring_csv(LAB / "weather-forecast.csv", BIKE_RENTALS, source_name="w.csv")
    assert scoring.rows == 10
    assert scoring.absent == ("dteday",)


def test_a_scoring_file_may_lack_the_keys_but_no_feature(tmp_path):
    names, fields = HEADER.split(","), ROW.split(",")
    path = training_file(tmp_path, ",".join(fields[1:-1]), header=",".join(names[1:-1]))
    content = read_scoring_csv(path, BIKE_RENTALS, source_name="in.csv")
    assert content.absent == ("dteday",)
    assert content.table["dteday"].null_count == 1
    path = training_file(tmp_path, ",".join(fields[2:-1]), header=",".join(names[2:-1]))
    with pytest.raises(InvalidInput, match="missing column season"):
        read_scoring_csv(path, BIKE_RENTALS, source_name="in.csv")


def test_rows_to_score_are_numbered_and_keep_their_values_and_their_gaps(tmp_path):
    row = edited(temp="0.1", atemp="0.33333334")
    path = training_file(tmp_path, row, row.replace("1/1/2011", ""))
    content = read_scoring_csv(path, BIKE_RENTALS, source_name="in.csv")
    write_scoring_rows(path, content, BIKE_RENTALS, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet")
    assert rows["forecast_row"].to_pylist() == [1, 2]
    assert rows["dteday"].to_pylist() == [dt.date(2011, 1, 1), None]
    assert rows.drop_columns(["forecast_row"]).equals(content.table)


def test_keys_that_the_rows_to_score_lack_are_null(tmp_path):
    names, fields = HEADER.split(","), ROW.split(",")
    path = training_file(tmp_path, ",".join(fields[1:-1]), header=",".join(names[1:-1]))
    content = read_scoring_csv(path, BIKE_RENTALS, source_name="in.csv")
    write_scoring_rows(path, content, BIKE_RENTALS, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet")
    assert rows.column_names == ["forecast_row", "dteday", *BIKE_RENTALS.feature_names]
    assert rows["dteday"].null_count == 1


def test_a_spec_with_text_and_without_keys_reads_and_normalizes(tmp_path):
    files = write_coffee_files(tmp_path)
    training = read_training_csv(files.training, COFFEE_SALES, source_name="coffee.csv")
    assert training.rows == 240
    assert training.table.schema.field("drink").type == pa.string()
    content = read_scoring_csv(files.scoring, COFFEE_SALES, source_name="offers.csv")
    write_scoring_rows(files.scoring, content, COFFEE_SALES, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet")
    assert rows.drop_columns(["forecast_row"]).equals(content.table)


def test_the_rows_to_score_have_the_columns_that_the_models_inputs_name(tmp_path):
    files = write_coffee_files(tmp_path)
    text = files.scoring.read_text().replace("seats", "chairs")
    files.scoring.write_text(text)
    spec = replace(COFFEE_SALES, inputs={"seats": "chairs"})
    content = read_scoring_csv(files.scoring, spec, source_name="offers.csv")
    assert content.table.column_names == list(COFFEE_SALES.feature_names)
    assert content.absent == ()
    with pytest.raises(InvalidInput, match="seats"):
        read_scoring_csv(files.scoring, COFFEE_SALES, source_name="offers.csv")


COLUMNS = (
    Column("n", "bigint"),
    Column("i", "int", minimum=-5, maximum=1_000_000),
    Column("r", "real"),
    Column("f", "float"),
    Column("t", "varchar", length=4),
    Column("d", "date", date_format="%m/%d/%Y"),
)
NAMES = [column.name for column in COLUMNS]
VALUES = {
    "n": st.integers(-(2**63), 2**63 - 1),
    "i": st.integers(-5, 1_000_000),
    "r": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "f": st.floats(allow_nan=False, allow_infinity=False),
    "t": st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=4),
    "d": st.dates(dt.date(1000, 1, 1)),
}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=8))
def test_any_valid_values_survive_the_way_through_a_file(tmp_path, rows):
    path = tmp_path / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows([row[name] for name in NAMES] for row in rows)
    content = read_csv(path, COLUMNS, source_name="in.csv")
    assert content.table.to_pylist() == rows


ODD = (
    "1 -1 007 +5 0x1F 1_0 1.5 .5 5. . - 1e5 1e39 1e999 nan inf 2147483648 9223372036854775808 "
    "1/2/2011 01/02/2011 2011-01-02 2011-13-01 2011-1-2 13/1/2011 1/2/11 x \u0663 1\u00a0 "
    "331.0 331. -5.00 331.01 NA n/a #N/A null ? 2011-01-02T00:00:00 2011-01-02T00:00:00.5 TRUE "
    "2011-01-02T00:00Z 2011-01-02T12:00:00 1e2.0 0.0 -0 -0.0 00.50 1.000,5 \uff11 40544"
).split(" ")
QUOTED = [
    "",
    " 1",
    " NA",
    "2011-01-02 00:00:00",
    '"1,5"',
    '"0,5"',
    '"331,0"',
    '"1,234"',
    "1 ",
    '"1"',
    '"a,b"',
    '"a""b"',
    'a"b',
    '"ab"c',
    '"',
    '""',
    "a\tb",
    "\x00",
]
FIELD = st.sampled_from(ODD + QUOTED) | st.text('a1",.-/\r\n\t \\\u00e9', max_size=5)


@settings(max_examples=400)
@given(
    st.lists(st.lists(FIELD, min_size=5, max_size=7), max_size=4),
    st.sampled_from("nirftd"),
    st.sampled_from(".,"),
)
def test_the_typed_the_textual_and_the_exact_reader_accept_the_same_rows(rows, focus, decimal):
    good = ["1", "1", "1", "1", "a", "2011-01-02"]
    lines = [",".join(NAMES)]
    for number, row in enumerate(rows):
        fields = list(good)
        if len(row) == 6 and number % 2 == 0:  # a row with one odd field, else all odd
            fields[NAMES.index(focus)] = row[0]
        else:
            fields = row
        lines.append(",".join(fields))
    text = "\n".join(lines) + "\n"
    if "\r" in text.replace("\r\n", ""):
        return  # refused before either reader
    block = "".join(f"{line}\n" for line in lines[1:]).encode()
    if not block.strip(b"\r\n"):
        return
    dialect = Dialect(tuple(NAMES), decimal=decimal)
    rules = rows_module.Rules(COLUMNS, frozenset(), "in.csv")
    converted = rows_module._converted(dialect, rules, (1, block))
    typed = None
    if converted is not None:
        typed = rows_module._assembled(converted, dialect, rules, rows_module._checked)
    fast = rows_module._from_texts(
        block, 2, dialect, rules, rows_module.DecimalMarks(dialect, "in.csv")
    )
    problems = list(find_problems(block, 2, dialect, COLUMNS, frozenset()))
    assert (fast is not None) == (not problems), (fast, problems)
    if typed is not None:
        assert fast is not None, (typed, problems)
        assert typed.equals(fast)


def trainable(path, spec=BIKE_RENTALS):
    return read_training_csv(path, spec, source_name="in.csv", trainable=True)


def days(count: int, **values) -> list[str]:
    return [
        edited(dteday=f"1/{day}/2011", rentals=str(day), **values) for day in range(1, count + 1)
    ]


def test_too_few_rows_are_refused_before_anything_is_stored(tmp_path):
    assert trainable(training_file(tmp_path, *days(20))).rows == 20
    with pytest.raises(InvalidInput, match=r"in\.csv: 19 usable rows; training needs at least 20"):
        trainable(training_file(tmp_path, *days(19)))


def test_rows_that_the_spec_drops_are_not_usable(tmp_path):
    path = training_file(tmp_path, *days(20)[:-1], edited(dteday="2/1/2011", hum="0"))
    assert trainable(path).rows == 20
    with pytest.raises(InvalidInput, match="19 usable rows"):
        trainable(path, replace(BIKE_RENTALS, suspicious_treatment="drop"))


def test_a_constant_target_is_refused_before_anything_is_stored(tmp_path):
    rows = [edited(dteday=f"1/{day}/2011") for day in range(1, 31)]
    with pytest.raises(InvalidInput, match="'rentals' is 331 in every row"):
        trainable(training_file(tmp_path, *rows))


@pytest.mark.parametrize(
    "first_line",
    ["root:SECRET:19000:0:99999:7:::", "temp,SECRET", '{"SECRET": 1}', "SECRET,SECRET,hum"],
)
def test_the_first_line_of_another_file_is_not_in_the_error(tmp_path, first_line):
    """`--csv /etc/shadow` showed its first line, in Dagster's log too."""
    with pytest.raises(InvalidInput, match="missing columns season, mnth") as caught:
        read(training_file(tmp_path, ROW, header=first_line))
    assert "SECRET" not in str(caught.value)


def test_a_first_line_without_end_is_refused_before_it_is_read_whole(tmp_path):
    """50 MB in one line were a traceback of the csv module."""
    with pytest.raises(InvalidInput, match="line 1: the line is longer than 1,048,576 bytes"):
        read(training_file(tmp_path, ROW, header="x" * (3 << 20)))
    with pytest.raises(InvalidInput, match="missing columns"):
        read(training_file(tmp_path, ROW, header="x" * (1 << 19)))


def test_a_sparse_file_of_zeros_is_refused_at_once(tmp_path):
    for name, start in (("zeros.csv", b""), ("rows.csv", f"{HEADER}\n{ROW}\n".encode())):
        path = tmp_path / name
        path.write_bytes(start)
        os.truncate(path, 3 << 30)
        with pytest.raises(InvalidInput, match="the line is longer than"):
            read(path)


def test_a_long_text_in_a_column_that_is_left_out_is_no_error(tmp_path):
    """The csv module's own limit of a field, 131,072 letters, ended the reading of rows."""
    path = training_file(tmp_path, f"{ROW},{'y' * 200_000}", header=f"{HEADER},note")
    assert read(path).rows == 1
    row = f"{ROW},{'y' * 200_000}"
    with pytest.raises(InvalidInput, match="2011-01-01 is already on line 2"):
        read(training_file(tmp_path, row, row, header=f"{HEADER},note"))
