"""Files as other programs write them: which are read, as what, and what the others are told.

Every file is made of the simulated sample, so that the right values are known.
"""

import csv
import gzip
import io
import re
import zipfile
from dataclasses import replace

import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate, write_csv
from resources.lake.csv_file import read_csv, read_training_csv, write_canonical
from resources.lake.csv_format import csv_format

ROWS = 40
REALS = ("temp", "atemp", "hum", "windspeed")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample as a list of rows of texts, header first, and as it is to be read."""
    path = tmp_path_factory.mktemp("sample") / "sample.csv"
    write_csv(simulate(years=1).slice(0, ROWS), path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return rows, read_training_csv(path, SPEC, source_name="sample").table


def column(rows, name, change, *, only=None):
    """The rows with a change of the texts of one column (in one line, counted from 1)."""
    at = rows[0].index(name)
    return [rows[0]] + [
        [*row[:at], change(row[at]), *row[at + 1 :]] if only in (None, line) else row
        for line, row in enumerate(rows[1:], 2)
    ]


def columns(rows, names, change):
    for name in names:
        rows = column(rows, name, change)
    return rows


def text_of(rows, delimiter=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return out.getvalue()


def comma(text):
    return text.replace(".", ",")


def iso(text):
    month, day, year = text.split("/")
    return f"{year}-{int(month):02}-{int(day):02}"


def german(text):
    month, day, year = text.split("/")
    return f"{int(day):02}.{int(month):02}.{year}"


def header(rows, change):
    return [[change(name) for name in rows[0]], *rows[1:]]


def encoded(text, encoding="utf-8"):
    return text.encode(encoding)


def semicolons(rows):
    return text_of(columns(rows, REALS, comma), ";")


#: name: (the file's bytes, options, what the line about it says; empty for a canonical file)
READ = {
    "plain": (lambda r: encoded(text_of(r)), {}, ""),
    "crlf": (lambda r: encoded(text_of(r, end="\r\n")), {}, ""),
    "byte order mark": (lambda r: b"\xef\xbb\xbf" + encoded(text_of(r)), {}, ""),
    "all quoted": (lambda r: encoded(text_of(r, quoting=csv.QUOTE_ALL)), {}, ""),
    "blank lines": (lambda r: encoded(text_of(r).replace("\n", "\n\n")), {}, ""),
    "no last line end": (lambda r: encoded(text_of(r).rstrip("\n")), {}, ""),
    "ISO dates": (lambda r: encoded(text_of(column(r, "dteday", iso))), {}, ""),
    "semicolon": (lambda r: encoded(text_of(r, ";")), {}, "delimited by semicolon"),
    "tab": (lambda r: encoded(text_of(r, "\t")), {}, "delimited by tab"),
    "pipe, told": (lambda r: encoded(text_of(r, "|")), {"delimiter": "|"}, "delimited by '|'"),
    "decimal comma": (lambda r: encoded(semicolons(r)), {}, "with a decimal comma"),
    "decimal comma, quoted": (
        lambda r: encoded(text_of(columns(r, REALS, comma))),
        {},
        "with a decimal comma",
    ),
    "sep= line": (lambda r: encoded("sep=;\n" + text_of(r, ";")), {}, "names the delimiter"),
    "gzip": (lambda r: gzip.compress(encoded(text_of(r))), {}, "compressed by gzip"),
    "gzip in two members": (
        lambda r: b"".join(gzip.compress(encoded(text_of([row]))) for row in r),
        {},
        "compressed by gzip",
    ),
    "UTF-16 with a mark": (lambda r: encoded(text_of(r), "utf-16"), {}, "encoded in utf-16"),
    "UTF-16 without": (lambda r: encoded(text_of(r), "utf-16-le"), {}, "encoded in utf-16-le"),
    "UTF-16, tabs, commas": (
        lambda r: encoded(text_of(columns(r, REALS, comma), "\t", "\r\n"), "utf-16"),
        {},
        "encoded in utf-16; delimited by tab; with a decimal comma",
    ),
    "windows-1252, told": (
        lambda r: encoded(text_of([[*r[0], "größe"], *([*row, "ü"] for row in r[1:])]), "cp1252"),
        {"encoding": "windows-1252"},
        "encoded in cp1252",
    ),
    "upper case": (lambda r: encoded(text_of(header(r, str.upper))), {}, "without regard to case"),
    "blanks in the header": (
        lambda r: encoded(text_of(header(r, " {} ".format))),
        {},
        "without regard to case and blanks",
    ),
    "blanks around values": (
        lambda r: encoded(text_of(columns(r, REALS, " {}".format))),
        {},
        "blanks around values",
    ),
    "no-break spaces": (
        lambda r: encoded(text_of(column(r, "rentals", "{}\u00a0".format))),
        {},
        "blanks around values",
    ),
    "whole numbers as 331.0": (
        lambda r: encoded(text_of(columns(r, ("rentals", "season", "mnth"), "{}.0".format))),
        {},
        "whole numbers with zeros behind the point",
    ),
    "whole numbers as 331,0": (
        lambda r: encoded(text_of(column(columns(r, REALS, comma), "rentals", "{},0".format), ";")),
        {},
        "whole numbers with zeros",
    ),
    "whole numbers as 331.000, by commas": (
        lambda r: encoded(text_of(column(r, "rentals", "{}.000".format))),
        {},
        "whole numbers with zeros",
    ),
    "whole numbers as 331,000, told": (
        lambda r: encoded(semicolons(column(r, "rentals", "{},000".format))),
        {"decimal": "comma"},
        "whole numbers with zeros",
    ),
    "days with a time": (
        lambda r: encoded(text_of(column(r, "dteday", lambda d: f"{iso(d)} 00:00:00"))),
        {},
        "days with the time 00:00",
    ),
    "days with T, Z and fractions": (
        lambda r: encoded(text_of(column(r, "dteday", lambda d: f"{iso(d)}T00:00:00.000Z"))),
        {},
        "days with the time 00:00",
    ),
    "one such value in the middle": (
        lambda r: encoded(text_of(column(r, "rentals", "{}.0".format, only=20))),
        {},
        "whole numbers with zeros behind the point",
    ),
    "German dates, told": (
        lambda r: encoded(text_of(column(r, "dteday", german))),
        {"date_format": "%d.%m.%Y"},
        "dates of the form %d.%m.%Y",
    ),
    "UCI's name of the target, told": (
        lambda r: encoded(text_of(header(r, lambda n: "cnt" if n == "rentals" else n))),
        {"rename": "rentals=cnt"},
        "rentals from 'cnt'",
    ),
    "columns in another order, one more": (
        lambda r: encoded(text_of([[*row[::-1], "x"] for row in r])),
        {},
        "",
    ),
    "an unnamed first column": (
        lambda r: encoded(text_of([["", *r[0]], *([str(i), *row] for i, row in enumerate(r[1:]))])),
        {},
        "columns without a name left out",
    ),
    "commas at the end of each line": (
        lambda r: encoded(text_of([[*row, "", ""] for row in r])),
        {},
        "columns without a name left out",
    ),
    "two other columns of one name": (
        lambda r: encoded(text_of([[*row, "x", "X"] for row in r])),
        {},
        "columns of the same name left out",
    ),
    "days with a time, told": (
        lambda r: encoded(text_of(column(r, "dteday", "{} 00:00".format))),
        {"date_format": "%m/%d/%Y %H:%M"},
        "dates of the form",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_file_of_another_program_is_read_and_said(sample, tmp_path, name):
    make, options, said = READ[name]
    rows, expected = sample
    path, told = tmp_path / "in.csv", csv_format(**options)
    path.write_bytes(make(rows))
    content = read_training_csv(path, SPEC, source_name="in.csv", told=told)
    assert content.table.equals(expected)
    [line] = [each for each in content.findings if " is read as: " in each] or [""]
    assert said in line
    assert content.is_canonical == (not said)
    write_canonical(path, content, SPEC, tmp_path / "copy.csv", told)
    copy = read_training_csv(tmp_path / "copy.csv", SPEC, source_name="copy.csv")
    assert copy.is_canonical
    assert copy.table.equals(expected)


def bad(name, value, line=5):
    return lambda r: encoded(text_of(column(r, name, lambda _: value, only=line)))


def zipped(rows):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("in.csv", text_of(rows))
    return out.getvalue()


#: name: (the file's bytes, what the error says)
REFUSED = {
    "nothing": (lambda _: b"", "in.csv is empty"),
    "a header alone": (lambda r: encoded(text_of(r[:1])), "no row below the column names"),
    "NA": (bad("hum", "NA"), "line 5, column hum: the value is missing ('NA')"),
    "#N/A": (bad("hum", "#N/A"), "line 5, column hum: the value is missing ('#N/A')"),
    "null": (bad("rentals", "null"), "line 5, column rentals: the value is missing ('null')"),
    "a dash": (bad("temp", "-"), "line 5, column temp: the value is missing ('-')"),
    "an empty field": (bad("temp", ""), "line 5, column temp: the value is missing"),
    "TRUE": (bad("holiday", "TRUE"), "column holiday: 'TRUE' is not a whole number; write 1 and 0"),
    "a serial date": (bad("dteday", "40544"), "'40544' is not a date.*serial number"),
    "29 February of a common year": (
        bad("dteday", "02/29/2011"),
        "'02/29/2011' is not a date of the form %m/%d/%Y or YYYY-MM-DD; there is no such day",
    ),
    "29 February, ISO": (bad("dteday", "2011-02-29"), "YYYY-MM-DD; there is no such day"),
    "a blank inside a date": (bad("dteday", "1/ 4/2011"), "'1/ 4/2011' is not a date"),
    "a year of two digits in four": (bad("dteday", "1/4/0011"), "in the year 11; write years"),
    "a time of day": (bad("dteday", "2011-01-04 13:00"), "it has a time of day"),
    "German dates": (
        lambda r: encoded(text_of(column(r, "dteday", german))),
        "'01.01.2011' is not a date.*--date-format %d.%m.%Y",
    ),
    "the day first": (bad("dteday", "31/1/2011"), "'31/1/2011'.*--date-format %d/%m/%Y"),
    "two-digit years": (bad("dteday", "1/4/11"), "'1/4/11' is not a date"),
    "full-width digits": (bad("rentals", "\uff13\uff11"), "'\uff13\uff11' is not a whole number"),
    "thousands": (bad("rentals", "1,234"), "'1,234' is not a whole number; remove the separators"),
    "a real whole number": (bad("rentals", "331.5"), "'331.5' is not a whole number"),
    "a repeated header": (
        lambda r: encoded(text_of([*r[:9], r[0], *r[9:]])),
        "line 10, column season: 'season' is not a whole number",
    ),
    "a total row": (
        lambda r: encoded(text_of([*r, ["Total", *[""] * (len(r[0]) - 1)]])),
        f"line {ROWS + 2}, column",
    ),
    "a remark below": (lambda r: encoded(text_of(r) + "Source: us\n"), "the row is too short"),
    "a repeated day": (
        lambda r: encoded(text_of([*r, r[1]])),
        f"line {ROWS + 2}, column dteday: 2011-01-01 is already on line 2",
    ),
    "decimal commas without quotes": (
        lambda r: encoded("\n".join(",".join(row) for row in columns(r, REALS, comma)) + "\n"),
        "the row is too long",
    ),
    "points and commas": (
        lambda r: encoded(text_of(column(r, "temp", comma, only=7), ";")),
        "decimal commas .line 7, column temp.* and decimal points .line 2, column",
    ),
    "either of both": (
        lambda r: encoded(text_of(columns(r, REALS, lambda _: "1,234"), ";")),
        "is a decimal number or has a separator of thousands; say --decimal comma",
    ),
    "either, with points": (
        lambda r: encoded(text_of(columns(r, REALS, lambda _: "1.234"), ";")),
        "line 2, column temp: '1.234' is a decimal number or has a separator of thousands; say",
    ),
    "thousands of whole numbers, points": (
        lambda r: encoded(text_of(column(r, "rentals", lambda _: "2.000"), ";")),
        "line 2, column rentals: '2.000' is a decimal number or has a separator of thousands",
    ),
    "thousands of whole numbers, commas": (
        lambda r: encoded(semicolons(column(r, "rentals", lambda _: "1,000"))),
        "line 2, column rentals: '1,000' is a decimal number or .*say --decimal comma",
    ),
    "windows-1252": (
        lambda r: encoded(text_of([*r[:3], [*r[3][:-1], "ü"], *r[4:]]), "cp1252"),
        "line 4: not UTF-8 .byte 0xfc.*--encoding windows-1252",
    ),
    "HTML": (lambda _: b"<html>404</html>", "which looks like HTML or XML, has none of the"),
    "a comment above": (lambda r: encoded("# by x\n" + text_of(r)), "looks like a comment"),
    "pipes": (lambda r: encoded(text_of(r, "|")), "has '|' between its fields"),
    "gzip twice": (lambda r: gzip.compress(gzip.compress(b"x")), "compressed by gzip twice"),
    "a tar archive": (lambda _: b"x" * 257 + b"ustar" + b"x" * 300, "is a tar archive"),
    "a zip archive": (zipped, "a zip archive"),
    "a cut gzip file": (lambda r: gzip.compress(encoded(text_of(r)))[:-20], "cut off or damaged"),
    "a damaged gzip file": (
        lambda r: b"\x1f\x8b" + b"\x00" * 40,
        "cut off or damaged",
    ),
    "UCI's name of the target": (
        lambda r: encoded(text_of(header(r, lambda n: "cnt" if n == "rentals" else n))),
        "missing column rentals.*If one of cnt is it, say so, such as: --rename rentals=cnt",
    ),
    "two columns of one name": (
        lambda r: encoded(text_of([[*row, row[-1]] for row in r]).replace("rentals,", "Rentals,")),
        "columns appear twice: Rentals, rentals",
    ),
    "a Parquet file": (lambda _: b"PAR1" + b"\x00" * 99, "a Parquet file"),
    "a lone carriage return": (lambda r: encoded(text_of(r, end="\r")), "a carriage return"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_clear_is_refused_with_its_place_and_what_to_do(sample, tmp_path, name):
    make, said = REFUSED[name]
    path = tmp_path / "in.csv"
    path.write_bytes(make(sample[0]))
    with pytest.raises(InvalidInput) as caught:
        read_training_csv(path, SPEC, source_name="in.csv")
    told = str(caught.value).replace("\n", " ")
    plain = said if ".*" in said else re.escape(said)
    assert re.search(plain, told), told
    assert "Nothing was stored" in told


NUMBERS = (
    Column(name="k", sql_type="int", description="number"),
    Column(name="v", sql_type="float", description="value"),
)


@pytest.mark.parametrize(
    ("last", "values"),
    [("1.234", None), ("1.234\n1501;0.5", [1.234, 0.5]), ("2.5\n1501;1.234", [2.5, 1.234])],
)
def test_a_doubtful_number_far_down_is_refused_unless_another_settles_it(tmp_path, last, values):
    path = tmp_path / "in.csv"
    path.write_text("k;v\n" + "".join(f"{n};{n}\n" for n in range(1500)) + f"1500;{last}\n")
    if values:
        content = read_csv(path, NUMBERS, source_name="in.csv")
        assert content.table["v"].to_pylist()[1500:] == values
        return
    with pytest.raises(InvalidInput, match=r"line 1502, column v: '1\.234' .*--decimal point"):
        read_csv(path, NUMBERS, source_name="in.csv")


def test_a_column_may_be_renamed_from_a_name_with_a_comma():
    from pipelines.cli.file_options import joined

    told = csv_format(rename=joined(["rentals=all, with days", "temp=t"]))
    assert told.columns == {"rentals": "all, with days", "temp": "t"}


def test_a_rename_of_a_column_that_the_model_lacks_is_refused(sample, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(text_of(sample[0]))
    told = csv_format(rename="temprature=x")
    with pytest.raises(InvalidInput, match="the model has no column temprature; it has"):
        read_training_csv(path, SPEC, source_name="in.csv", told=told)


def test_a_time_of_day_is_not_dropped_by_a_format_that_has_one(sample, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(text_of(column(sample[0], "dteday", "{} 13:45".format)))
    told = csv_format(date_format="%m/%d/%Y %H:%M")
    with pytest.raises(InvalidInput, match=r"line 2, column dteday: .* has a time of day"):
        read_training_csv(path, SPEC, source_name="in.csv", told=told)


@pytest.mark.parametrize("sql_type", ["real", "float"])
@pytest.mark.parametrize("text", ["k,v\n0.1,1\n0.1,2\n", "k;v\n0,1;1\n0,1;2\n"])
def test_a_repeated_key_with_decimals_is_named(tmp_path, sql_type, text):
    path = tmp_path / "in.csv"
    path.write_text(text)
    keys = (Column(name="k", sql_type=sql_type, description="key"), NUMBERS[1])
    with pytest.raises(InvalidInput, match=r"line 3, column k: 0.1.* is already on line 2"):
        read_csv(path, keys, unique=("k",), source_name="in.csv")


@pytest.mark.parametrize("treatment", ["drop", "impute"])
def test_missing_values_pass_where_the_spec_treats_them(sample, tmp_path, treatment):
    path = tmp_path / "in.csv"
    path.write_bytes(bad("hum", "NA")(sample[0]))
    spec = replace(SPEC, suspicious_treatment=treatment)
    content = read_training_csv(path, spec, source_name="in.csv")
    assert content.table["hum"].null_count == 1
    assert "marks of missing values (column hum, from line 2 on)" in content.findings[0]


def test_a_large_file_is_checked_in_blocks_and_its_repeated_key_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.lake.dialect.BLOCK", 4096)
    monkeypatch.setattr("resources.lake.dialect._utf8_blocks.__defaults__", (4096,))
    path = tmp_path / "in.csv"
    write_csv(simulate(years=2), path)
    content = read_training_csv(path, SPEC, source_name="in.csv", kept_rows=5)
    assert (content.rows, content.table.num_rows) == (731, 5)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[3]]) + "\n")
    with pytest.raises(InvalidInput, match=r"line 733, column dteday: .* already on line 4"):
        read_training_csv(path, SPEC, source_name="in.csv")


def test_a_file_that_changes_while_it_is_read_is_refused(sample, tmp_path, monkeypatch):
    from resources.lake import csv_file

    path = tmp_path / "in.csv"
    path.write_text(text_of(sample[0]))
    whole = csv_file.checked_rows

    def changing(*arguments, **options):
        yield from whole(*arguments, **options)
        path.write_text(text_of(sample[0][:-1]))

    monkeypatch.setattr(csv_file, "checked_rows", changing)
    with pytest.raises(InvalidInput, match="changed while it was read"):
        read_training_csv(path, SPEC, source_name="in.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rename": "rentals"}, "--rename 'rentals'"),
        ({"delimiter": "ab"}, "--delimiter 'ab'"),
        ({"decimal": "x"}, "--decimal 'x'"),
        ({"encoding": "klingon"}, "--encoding 'klingon'"),
        ({"date_format": "dd.mm"}, "--date-format 'dd.mm'"),
        ({"date_format": "%m/%d"}, "it needs year, month and day"),
        ({"date_format": "%Q %d/%m/%Y"}, "strptime cannot read"),
        ({"date_format": "%d/%m/%Y %"}, "strptime cannot read"),
        ({"date_format": "%d/%m/%Y %d"}, "strptime cannot read"),
    ],
)
def test_a_wrong_option_is_named(options, said):
    with pytest.raises(InvalidInput, match=said):
        csv_format(**options)
