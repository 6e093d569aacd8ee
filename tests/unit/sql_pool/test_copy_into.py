"""COPY INTO from CSV and Parquet files of the lake."""

import datetime
import decimal
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.copy import records

OPTIONS = "FILE_TYPE = 'CSV', FIRSTROW = 2, ENCODING = 'UTF8', ROWTERMINATOR = '0x0A'"


@pytest.fixture
def copy(session, lake):
    session.run(
        "CREATE TABLE dbo.t (id int NOT NULL, name varchar(5), day date, x real) "
        "WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
    )

    def run(content, columns="", options=OPTIONS, location=None):
        path = lake / "data.csv"
        path.write_bytes(content.encode())
        location = location or f"file://{path}"
        session.run(f"COPY INTO dbo.t {columns} FROM '{location}' WITH ({options})")
        return session.run("SELECT * FROM dbo.t ORDER BY id")[0].rows

    return run


def test_fields_take_the_types_of_the_columns_and_empty_ones_are_null(copy):
    found = copy("id,name,day,x\n1,a,2024-01-02,.5\n2,,,\n")
    assert [str(value) for value in found[0]] == ["1", "a", "2024-01-02", "0.5"]
    assert found[1] == (2, None, None, None)


def test_quotes_protect_delimiters_quotes_and_line_ends(copy):
    found = copy('h,h,h,h\n1,"a,b",,\n2,"q""q",,\n3,"l\nm",,\n')
    assert [row[1] for row in found] == ["a,b", 'q"q', "l\nm"]


def test_windows_line_ends_and_other_terminators_are_read(copy):
    options = "FIELDTERMINATOR = ';', FIELDQUOTE = '''', ROWTERMINATOR = '\\n'"
    assert copy("1;'a;b';;2\r\n", options=options) == [(1, "a;b", None, 2.0)]


def test_a_file_of_both_line_ends_is_read_by_its_terminator(copy):
    """It was an internal error."""
    found = copy("h,h\n1,a\r\n2,b\n3,c\r\n", columns="(id 1, name 2)")
    assert [row[:2] for row in found] == [(1, "a\r"), (2, "b"), (3, "c\r")]


def test_a_header_alone_is_no_row_whatever_its_line_end(copy):
    assert copy("h,h,h,h\r\n") == []


def test_a_column_list_chooses_fields_and_defaults(copy):
    found = copy("h,h,h\n9,1,\n", columns="(id 2, name DEFAULT 'none' 3)")
    assert found == [(1, "none", None, None)]


def test_credentials_are_read_over(copy):
    options = OPTIONS + ", CREDENTIAL = (IDENTITY = 'Managed Identity')"
    assert copy("h,h,h,h\n1,,,\n", options=options) == [(1, None, None, None)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("h,h,h,h\n1,a,,\nx,b,,\n", "'x' to data type int"),
        ("h,h,h,h\n1,too long,,\n", r"truncated in column 'name'\. No row was loaded"),
        ("h,h,h,h\n,a,,\n", "does not allow nulls"),
        ("h,h,h,h\n1,a,2024-13-01,\n", "date"),
        ("h,h,h,h\n1,a,\n", "(?i)expected number of columns|columns"),
        ("h,h,h,h\n1,a,,,5\n", "(?i)expected number of columns|columns"),
    ],
)
def test_a_bad_row_stops_the_load_and_nothing_is_stored(copy, session, content, reason):
    with pytest.raises(SqlError, match=reason) as caught:
        copy(content)
    assert caught.value.number == 13812
    assert session.run("SELECT COUNT(*) FROM dbo.t")[0].rows == [(0,)]


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "data.csv",
        "https://account.dfs.core.windows.net/files/data.csv",
    ],
)
def test_only_files_inside_of_the_lake_are_read(copy, location):
    with pytest.raises(SqlError, match="lake"):
        copy("h\n", location=location)


def test_a_link_out_of_the_lake_is_not_followed(copy, lake, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_text("h,h,h,h\n1,,,\n")
    (lake / "link.csv").symlink_to(outside)
    with pytest.raises(SqlError, match="not inside of the lake"):
        copy("h\n", location=f"file://{lake}/link.csv")


def test_a_missing_file_and_an_unknown_option_are_named(copy, lake):
    with pytest.raises(SqlError, match=r"nope\.csv"):
        copy("h\n", location=f"file://{lake}/nope.csv")
    with pytest.raises(SqlError, match="REJECTED_ROW_LOCATION"):
        copy("h\n", options="REJECTED_ROW_LOCATION = '/errors'")


def test_rows_up_to_maxerrors_are_set_aside_with_their_reasons(copy, lake):
    content = "h,h,h,h\n1,a,,\nx,b,,\n3,too long,,\n4,c\n,d,,\n6,'f,,\n"
    options = OPTIONS + ", MAXERRORS = 4, ERRORFILE = '/errors'"
    assert [row[0] for row in copy(content, options=options)] == [1, 6]
    (folder,) = (lake / "errors" / "_rejectedrows").iterdir()
    texts = {path.name.split(".", 1)[1]: path.read_text() for path in folder.iterdir()}
    assert sorted(texts["Row.Txt"].splitlines()) == [",d,,", "3,too long,,", "4,c", "x,b,,"]
    reasons = texts["Error.Txt"]
    for number, reason in (
        (3, "'x' to data type int"),
        (4, "truncated"),
        (5, "found: 2"),
        (6, "NULL"),
    ):
        assert f"row {number}: " in reasons
        assert reason in reasons


def test_one_row_over_maxerrors_stops_the_load_and_its_rows_are_kept(copy, session, lake):
    options = OPTIONS + ", MAXERRORS = 1, ERRORFILE = '/errors'"
    with pytest.raises(SqlError, match="maximum reject threshold"):
        copy("h,h,h,h\n1,a,,\nx,b,,\ny,b,,\n", options=options)
    assert session.run("SELECT COUNT(*) FROM dbo.t")[0].rows == [(0,)]
    assert [path.suffix for path in sorted(lake.rglob("*.Txt"))] == [".Txt", ".Txt"]


@pytest.mark.parametrize("rows", [1, 8192, 8193, 20_000])
def test_only_the_bad_rows_of_a_large_file_are_set_aside(copy, rows):
    bad = {0, rows // 2, rows - 1}
    lines = [f"{'x' if i in bad else i},a,,\n" for i in range(rows)]
    found = copy("h,h,h,h\n" + "".join(lines), options=OPTIONS + ", MAXERRORS = 3")
    assert len(found) == rows - len(bad)


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("mdy", "2/13/2024"), ("dmy", "13.02.2024"), ("ymd", "2024-2-13"), ("ydm", "2024/13/02"),
        ("dym", "13-2024-02"), ("myd", "02-24-13"), ("dmy", "13/02/24"), ("dmy", "2024-02-13"),
    ],
)  # fmt: skip
def test_a_date_format_says_the_order_of_day_month_and_year(copy, order, text):
    found = copy(f"h,h,h,h\n1,a,{text},\n", options=f"{OPTIONS}, DATEFORMAT = '{order}'")
    assert str(found[0][2]) == "2024-02-13"


def test_a_date_that_its_format_makes_impossible_is_an_error(copy):
    with pytest.raises(SqlError, match="date"):
        copy("h,h,h,h\n1,a,13/02/2024,\n", options=OPTIONS + ", DATEFORMAT = 'mdy'")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("1|#|a|#||#|2;;2|#|b|#||#|", "FIELDTERMINATOR = '|#|', ROWTERMINATOR = ';;'"),
        ("1<==>a<==><==>2\n2<==>b<==><==>\n",
         "FIELDTERMINATOR = '0x3C3D3D3E', ROWTERMINATOR = '0x0A'"),
        ("1\ta\t\t2\r\n2\tb\t\t\r\n", "FIELDTERMINATOR = '\\t'"),
        ("skip\nskip\n1,a,,2\n2,b,,\n", "FIRSTROW = 3, ROWTERMINATOR = '0x0A'"),
    ],
)  # fmt: skip
def test_terminators_of_any_length_are_read(copy, content, options):
    assert copy(content, options=options) == [(1, "a", None, 2.0), (2, "b", None, None)]


def test_line_feeds_alone_are_no_rows_where_the_terminator_is_the_default(copy):
    with pytest.raises(SqlError, match="found: 7"):
        copy("1,a,,2\n2,b,,\n", options="FILE_TYPE = 'CSV'")


def test_utf_16_and_gzip_are_read(session, lake):
    session.run(
        "CREATE TABLE dbo.u (id int, name nvarchar(5)) WITH (DISTRIBUTION = HASH(id), HEAP)"
    )
    (lake / "wide.csv").write_bytes("1,é\r\n".encode("utf-16"))
    with gzip.open(lake / "small.csv.gz", "wt", newline="") as file:
        file.write("2,z\r\n")
    (lake / "named.bin").write_bytes((lake / "small.csv.gz").read_bytes())
    for name, option in (
        ("wide.csv", "ENCODING = 'UTF16'"),
        ("small.csv.gz", "FIRSTROW = 1"),
        ("named.bin", "COMPRESSION = 'Gzip'"),
    ):
        session.run(f"COPY INTO dbo.u FROM '{lake}/{name}' WITH ({option})")
    found = session.run("SELECT id, name FROM dbo.u ORDER BY id")[0].rows
    assert found == [(1, "é"), (2, "z"), (2, "z")]


@pytest.mark.parametrize("options", ["ENCODING = 'UTF16'", "COMPRESSION = 'Gzip'", "FIRSTROW = 1"])
def test_a_file_that_is_not_as_announced_is_named(session, lake, options):
    (lake / "odd.csv").write_bytes(b"\xff\xff\xd8\xd8\n")
    session.run("CREATE TABLE dbo.o (n int) WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)")
    with pytest.raises(SqlError, match=r"odd\.csv"):
        session.run(f"COPY INTO dbo.o FROM '{lake}/odd.csv' WITH ({options})")


@pytest.fixture
def files(session, lake):
    """Files of one row, whose number is in the first field."""
    session.run("CREATE TABLE dbo.f (n int) WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)")
    names = ["a/1.csv", "a/2.txt", "a/b/3.csv", "a/_4.csv", "a/.5.csv", "a/_h/6.csv", "a/7*.csv"]
    for number, name in enumerate(names, 1):
        path = lake / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\r\n")

    def load(*locations):
        listed = ", ".join(f"'file://{lake}/{location}'" for location in locations)
        session.run(f"COPY INTO dbo.f FROM {listed}")
        return sorted(row[0] for row in session.run("SELECT n FROM dbo.f")[0].rows)

    return load


@pytest.mark.parametrize(
    ("locations", "numbers"),
    [
        (["a"], [1, 2, 3, 7]),
        (["a/"], [1, 2, 3, 7]),
        (["a/*.csv"], [1, 3, 7]),
        (["a/*/*.csv"], [3]),
        (["*/1.csv"], [1]),
        (["a/_4.csv"], [4]),
        (["a/_*.csv"], [4, 6]),
        (["a/7\\*.csv"], [7]),
        (["a/1.csv", "a/2.txt"], [1, 2]),
        (["a/b", "a/1*"], [1, 3]),
    ],
)
def test_folders_wildcards_and_several_locations_mean_their_files(files, locations, numbers):
    assert files(*locations) == numbers


@pytest.mark.parametrize("location", ["a/*.CSV", "a/*.parquet", "nope/*", "../*"])
def test_a_location_that_means_no_file_of_the_lake_is_an_error(files, location):
    with pytest.raises(SqlError) as caught:
        files(location)
    assert caught.value.number == 13807


def test_one_bad_file_of_several_leaves_the_table_as_it_was(files, session, lake):
    (lake / "a/b/9.csv").write_text("x\r\n")
    with pytest.raises(SqlError, match=r"9\.csv"):
        files("a")
    assert session.run("SELECT COUNT(*) FROM dbo.f")[0].rows == [(0,)]


@pytest.fixture
def parquet(session, lake):
    """A Parquet file with a column of each type, and a table for it."""
    table = pa.table(
        {
            "x": pa.array([1, None], pa.int32()),
            "y": pa.array([2**40, 2], pa.int64()),
            "z": pa.array([0.5, 1.5], pa.float32()),
            "w": pa.array([0.25, None], pa.float64()),
            "s": pa.array(["a", "b"]),
            "d": pa.array([datetime.date(2024, 2, 29), None]),
            "b": pa.array([True, False]),
            "m": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(9, 2)),
        }
    )
    pq.write_table(table, lake / "p.parquet", compression="snappy")
    session.run(
        "CREATE TABLE dbo.p (a int, b bigint, c real, d float, e nvarchar(5), f date, g bit, "
        "h decimal(12, 3)) WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
    )
    return f"COPY INTO dbo.p FROM 'file://{lake}/p.parquet' WITH (FILE_TYPE = 'PARQUET')"


def test_parquet_columns_are_taken_by_position(parquet, rows, session):
    session.run(parquet)
    assert rows("SELECT a, b, c, d, e, f, g, h FROM dbo.p ORDER BY b DESC")[0] == (
        1, 2**40, 0.5, 0.25, "a", datetime.date(2024, 2, 29), True, decimal.Decimal("1.500")
    )  # fmt: skip


def test_a_column_list_chooses_parquet_columns_and_their_defaults(parquet, rows, session):
    session.run(parquet.replace("dbo.p FROM", "dbo.p (a DEFAULT 9 1, d DEFAULT -1 4) FROM"))
    assert rows("SELECT a, b, d FROM dbo.p ORDER BY a") == [(1, None, 0.25), (9, None, -1.0)]


def test_a_parquet_column_of_another_type_is_an_error(parquet, session):
    with pytest.raises(SqlError, match=r"'y' .* is BIGINT; the column 'a' of the table is int"):
        session.run(parquet.replace("dbo.p FROM", "dbo.p (a 2) FROM"))


def test_a_parquet_file_that_is_none_is_named(parquet, session, lake):
    (lake / "p.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(SqlError, match=r"p\.parquet"):
        session.run(parquet)


@pytest.mark.parametrize(
    "options",
    [
        "FILE_TYPE = 'JSON'", "FILE_TYPE = 'ORC'", "FILE_FORMAT = myformat", "MAXERRORS = -1",
        "MAXERRORS = 'x'", "FIRSTROW = 0", "FIELDQUOTE = '||'", "FIELDTERMINATOR = ''",
        "FIELDTERMINATOR = 'é'", "ROWTERMINATOR = '0x0'", "ENCODING = 'LATIN1'",
        "COMPRESSION = 'Snappy'", "DATEFORMAT = 'dd'", "IDENTITY_INSERT = 'ON'",
        "AUTO_CREATE_TABLE = 'ON'", "LASTROW = 3", "CREDENTIAL = (SECRET = 'x')",
        "ERRORFILE = '../out', MAXERRORS = 1", "ERRORFILE = 'https://a.b/c', MAXERRORS = 1",
        "FILE_TYPE = 'PARQUET', FIRSTROW = 2", "FIRSTROW = 1, FIRSTROW = 2",
    ],
)  # fmt: skip
def test_an_option_that_the_pool_does_not_have_is_refused(copy, session, options):
    with pytest.raises(SqlError):
        copy("1,a,,\r\n", options=options)
    assert session.run("SELECT COUNT(*) FROM dbo.t")[0].rows == [(0,)]


def test_a_model_is_loaded_from_hexadecimal_text(session, lake, rows):
    session.run(
        "CREATE TABLE dbo.m (id int, model varbinary(max)) WITH (HEAP, DISTRIBUTION = ROUND_ROBIN)"
    )
    (lake / "m.csv").write_text(f"1,{b'onnx'.hex()}\r\n2,0x{b'x'.hex()}\r\n")
    session.run(f"COPY INTO dbo.m FROM '{lake}/m.csv'")
    assert rows("SELECT model FROM dbo.m ORDER BY id") == [(b"onnx",), (b"x",)]


def test_the_value_that_cannot_be_converted_is_shown_as_it_is(copy):
    with pytest.raises(SqlError, match=r"varchar value 'bex' to data type int\. No row was loaded"):
        copy("h,h,h,h\nbex,,,\n")


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"a,b\n1,x\n2,y\n", "FIRSTROW = 2", r"lines end in 0x0A, .* write ROWTERMINATOR = '0x0A'"),
        (b"1,x\n2,y\n", "FILE_TYPE = 'CSV'", r"write ROWTERMINATOR = '0x0A'"),
        (b"a,b\r\n1,x\r\n", "FIRSTROW = 2, ROWTERMINATOR = '|'", r"write ROWTERMINATOR = '\\r\\n'"),
        (b"1,x\r2,y\r", "ROWTERMINATOR = '0x0A'", r"write ROWTERMINATOR = '0x0D'"),
    ],
)  # fmt: skip
def test_a_wrong_row_terminator_is_an_error_that_names_the_right_one(
    session, lake, content, options, reason
):
    # a load of nothing without a word, or of one long row
    session.run("CREATE TABLE dbo.days (id int, name nvarchar(20)) WITH (HEAP)")
    (lake / "days.csv").write_bytes(content)
    with pytest.raises(SqlError, match=reason):
        session.run(f"COPY INTO dbo.days FROM 'file://{lake}/days.csv' WITH ({options})")
    assert session.run("SELECT COUNT(*) FROM dbo.days")[0].rows == [(0,)]


def test_a_row_has_a_largest_size(session, lake, monkeypatch):
    monkeypatch.setattr(records, "LARGEST_RECORD", 2**20)
    session.run("CREATE TABLE dbo.days (id int, name nvarchar(20)) WITH (HEAP)")
    (lake / "days.csv").write_bytes(b"1,x\n" * 2**19)
    with pytest.raises(SqlError, match=r"longer than 1048576 characters.*'0x0A'.*No row"):
        session.run(f"COPY INTO dbo.days FROM 'file://{lake}/days.csv'")


def test_fewer_rows_than_firstrow_are_no_error_where_the_terminator_is_right(session, lake):
    session.run("CREATE TABLE dbo.days (id int, name nvarchar(20)) WITH (HEAP)")
    (lake / "days.csv").write_bytes(b"id,name\r\n")
    session.run(f"COPY INTO dbo.days FROM 'file://{lake}/days.csv' WITH (FIRSTROW = 3)")
    assert session.run("SELECT COUNT(*) FROM dbo.days")[0].rows == [(0,)]


def test_a_number_and_a_day_are_read_in_each_form_of_t_sql_and_in_no_other(copy, session):
    session.run("ALTER TABLE dbo.t ALTER COLUMN x float")
    rows = copy("h\n1,a,2024-01-02,1e2\n2,a,2024/01/02, 5\n3,a,01/02/2024,-.5\n")
    assert [row[2:] for row in rows] == [(datetime.date(2024, 1, 2), x) for x in (100, 5, -0.5)]
    numbers = ("1_0", "inf", "nan", "0x1", "1e999", "9" * 400)
    days = ("10000-01-01", "2024-02-30", "epoch", "infinity")
    for row in (*(f"2024-01-02,{x}" for x in numbers), *(f"{day},1" for day in days)):
        with pytest.raises(SqlError):
            copy(f"h\n4,a,{row}\n")
    assert session.run("SELECT COUNT(*) AS n FROM dbo.t")[0].rows == [(3,)]


@pytest.mark.parametrize("sql_type", ["int", "bigint", "tinyint", "decimal(6,2)", "float", "date"])
def test_a_text_becomes_what_cast_makes_of_it(session, lake, sql_type):
    # most texts take a shorter way, on which DuckDB reads 1e2 and 1_0 as whole numbers
    texts = ["0", "-0", "+5", "007", "12", "-1", "1.5", ".5", "1e2", "1_0", "0x1F", "250", "2024"]
    texts += ["99999", "9999999999", "12.34", "12.345", "1.", "-", "2024-02-29", "0000-01-01"]
    texts += ["2024-1-2", "20240102", "2024-02-30", " 7", "7 ", "1 2"]
    session.run(f"CREATE TABLE dbo.c (i int, v {sql_type}) WITH (HEAP)")

    def load(*rows):
        (lake / "c.csv").write_text("".join(f"{i},{text}\n" for i, text in rows))
        options = "FILE_TYPE = 'CSV', ROWTERMINATOR = '0x0A'"
        session.run(f"COPY INTO dbo.c FROM 'file://{lake}/c.csv' WITH ({options})")

    taken = {}
    for place, text in enumerate(texts):
        try:
            taken[place] = session.run(f"SELECT CAST(? AS {sql_type}) AS v", [text])[0].rows[0][0]
        except SqlError:
            with pytest.raises(SqlError):
                load((place, text))
    load(*((place, texts[place]) for place in taken))
    assert dict(session.run("SELECT i, v FROM dbo.c")[0].rows) == taken
