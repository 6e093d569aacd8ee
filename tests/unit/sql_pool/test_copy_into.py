"""COPY INTO from CSV files of the lake."""

import pytest

from resources.sql_pool.port import SqlError

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
        ("h,h,h,h\n1,too long,,\n", "truncated in column 'name'"),
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
    with pytest.raises(SqlError, match="DATEFORMAT"):
        copy("h\n", options="DATEFORMAT = 'dmy'")
