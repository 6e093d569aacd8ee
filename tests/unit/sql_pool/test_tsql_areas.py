"""Behaviour of a dedicated pool beside the corpus, area by area."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikecast.core.sql import SqlError

INT = st.integers(-(2**31), 2**31 - 1)
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
MOMENT = datetime.datetime(2024, 3, 5, 13, 14, 15, 123000)


def value(session, expression, *parameters):
    return session.run(f"SELECT {expression} AS a", parameters)[0].rows[0][0]


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (0, "Mar  5 2024  1:14PM"),
        (1, "03/05/24"),
        (2, "24.03.05"),
        (3, "05/03/24"),
        (4, "05.03.24"),
        (5, "05-03-24"),
        (6, "05 Mar 24"),
        (7, "Mar 05, 24"),
        (8, "13:14:15"),
        (9, "Mar  5 2024  1:14:15:123PM"),
        (10, "03-05-24"),
        (11, "24/03/05"),
        (12, "240305"),
        (13, "05 Mar 2024 13:14:15:123"),
        (14, "13:14:15:123"),
        (20, "2024-03-05 13:14:15"),
        (21, "2024-03-05 13:14:15.123"),
        (22, "03/05/24  1:14:15 PM"),
        (23, "2024-03-05"),
        (24, "13:14:15"),
        (25, "2024-03-05 13:14:15.123"),
        (101, "03/05/2024"),
        (106, "05 Mar 2024"),
        (107, "Mar 05, 2024"),
        (112, "20240305"),
        (126, "2024-03-05T13:14:15.123"),
    ],
)
def test_a_datetime_is_written_by_style(shared_session, style, text):
    moment = "CAST('2024-03-05T13:14:15.123' AS datetime)"
    assert value(shared_session, f"CONVERT(varchar(40), {moment}, {style})") == text


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("year", 2024),
        ("qq", 1),
        ("month", 3),
        ("dayofyear", 65),
        ("day", 5),
        ("week", 10),
        ("weekday", 3),
        ("hour", 13),
        ("mi", 14),
        ("ss", 15),
        ("ms", 123),
        ("mcs", 123000),
        ("ns", 123000000),
        ("iso_week", 10),
        ("tzoffset", 0),
    ],
)
def test_datepart_knows_every_part(shared_session, part, expected):
    moment = "CAST('2024-03-05T13:14:15.123' AS datetime2)"
    assert value(shared_session, f"DATEPART({part}, {moment})") == expected


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("SELECT 1/0", 8134),
        ("SELECT 2147483647 + 1", 8115),
        ("SELECT CAST('x' AS int)", 245),
        ("SELECT CAST('99999999999' AS int)", 248),
        ("SELECT CAST(300 AS tinyint)", 220),
        ("SELECT CAST('2024-13-01' AS datetime)", 242),
        ("SELECT CAST('2024-13-01' AS date)", 241),
        ("SELECT CONVERT(varchar(30), GETDATE(), 999)", 281),
        ("SELECT LEN()", 174),
        ("SELECT CAST('x' AS nosuchtype)", 243),
        ("SELECT DATEDIFF(second, '1900-01-01', '2024-01-01')", 535),
        ("SELECT DATEADD(year, 9000, GETDATE())", 517),
        ("SELECT DATEFROMPARTS(2024, 2, 30)", 289),
        ("SELECT ROUND(748.58, -3)", 8115),
        ("SELECT CAST('zz' AS uniqueidentifier)", 8169),
        ("MERGE t USING t AS s ON 1 = 1 WHEN MATCHED THEN DELETE", 10713),
        ("CREATE VIEW v AS SELECT 1", 4511),
        ("SELECT g, COUNT(*) FROM t GROUP BY CUBE(g)", 208),
        ("SELECT JSON_VALUE('{', '$.a')", 13609),
    ],
)
def test_an_error_has_the_number_of_sql_server(error_number, batch, number):
    assert error_number(batch) == number


@given(INT, INT)
@settings(max_examples=60)
def test_integer_arithmetic_truncates_as_sql_server_does(shared_session, left, right):
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1) if right else 0
    if not right or abs(quotient) > 2**31 - 1:
        return
    row = shared_session.run("SELECT ? / ? AS q, ? % ? AS r", [left, right, left, right])[0].rows
    assert row == [(quotient, left - quotient * right)]


@given(PLAIN, st.integers(1, 10), st.integers(0, 10), PLAIN)
@settings(max_examples=60)
def test_text_functions_cut_and_join_as_python_does(shared_session, text, start, size, other):
    row = shared_session.run(
        "SELECT SUBSTRING(?, ?, ?) AS a, LEFT(?, ?) AS b, LEN(?) AS c, ? + ? AS d",
        [text, start, size, text, size, text, text, other],
    )[0].rows[0]
    assert row == (
        text[start - 1 : start - 1 + size],
        text[:size],
        len(text.rstrip(" ")),
        text + other,
    )


def test_datetimeoffset_keeps_its_offset_and_compares_by_the_moment(session):
    session.run("CREATE TABLE t (a datetimeoffset(0))")
    session.run("INSERT INTO t SELECT '2024-03-05 13:14:15 +02:00'")
    rows = session.run("SELECT a FROM t WHERE a = '2024-03-05 11:14:15 +00:00'")[0].rows
    assert rows[0][0].isoformat() == "2024-03-05T13:14:15+02:00"


def test_a_change_finds_its_rows_by_a_join_and_counts_them(session):
    session.run("CREATE TABLE t (id int, s varchar(5)); CREATE TABLE u (id int)")
    session.run("INSERT INTO t SELECT 1, 'a' UNION ALL SELECT 2, 'b'; INSERT INTO u SELECT 2")
    results = session.run(
        "UPDATE x SET s = 'c' FROM t AS x JOIN u ON u.id = x.id; SELECT @@ROWCOUNT AS n; "
        "DELETE x FROM t AS x JOIN u ON u.id = x.id; SELECT id FROM t"
    )
    assert [result.rows for result in results] == [[(1,)], [(1,)]]


def test_an_identity_column_counts_by_itself(session, error_number):
    session.run("CREATE TABLE t (id int IDENTITY(5, 2), s varchar(5))")
    session.run("INSERT INTO t SELECT 'a' UNION ALL SELECT 'b'")
    assert sorted(session.run("SELECT id FROM t")[0].rows) == [(5,), (7,)]
    assert error_number("INSERT INTO t (id, s) VALUES (1, 'x')") == 544


def test_a_scalar_function_becomes_an_expression(session):
    session.run(
        "CREATE FUNCTION dbo.f (@x int) RETURNS int AS BEGIN DECLARE @y int = @x * 2; "
        "IF @y > 10 RETURN 99; SET @y = @y + 1; RETURN @y END"
    )
    assert session.run("SELECT dbo.f(4) AS a, dbo.f(10) AS b")[0].rows == [(9, 99)]


def test_a_procedure_returns_a_status(session):
    session.run("CREATE PROCEDURE dbo.p @a int AS BEGIN IF @a = 1 RETURN 7; SELECT 1 AS x END")
    batch = "DECLARE @r int; EXEC @r = dbo.p 1; SELECT @r AS r"
    assert session.run(batch)[0].rows == [(7,)]


def test_division_of_decimals_is_exact(shared_session):
    quotient = value(shared_session, "CAST(1 AS decimal(38,20)) / CAST(3 AS decimal(5,0))")
    assert str(quotient).startswith("0.3333333333333333")
    assert value(shared_session, "1.0 / 3") == Decimal("0.333333")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CHARINDEX('', 'abc')", 0),
        ("DATEPART(ms, CAST('1899-01-01T00:00:01.250' AS datetime2))", 250),
        ("CAST('$1,234.5' AS money)", Decimal("1234.5000")),
        ("CAST('é€' AS varbinary(4))", b"\xe9\x80"),
        ("CAST(0xE9 AS varchar(4))", "é"),
        (
            "HASHBYTES('SHA2_256', N'a')",
            bytes.fromhex("ffe9aaeaa2a2d5048174df0b80599ef0197ec024c4b051bc9860cff58ef7f9f3"),
        ),
        ("JSON_VALUE('{}', '$.a')", None),
        ("SWITCHOFFSET(CAST(NULL AS datetimeoffset), '+01:00')", None),
        ("CASE WHEN 'abc  ' LIKE 'abc' THEN 1 ELSE 0 END", 1),
        ("CASE WHEN N'abc  ' LIKE N'abc' THEN 1 ELSE 0 END", 0),
        ("CASE WHEN 'abc' LIKE 'abc ' THEN 1 ELSE 0 END", 0),
    ],
)
def test_further_values_are_those_of_sql_server(shared_session, expression, expected):
    assert value(shared_session, expression) == expected


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("SELECT TOP (-1) 1 AS a", 127),
        ("SELECT 1e308 * 10 AS a", 8115),
        ("TRUNCATE TABLE dbo.nope", 4701),
        ("BREAK", 135),
        ("IF 1 = 0 CONTINUE", 136),
        ("EXEC sp_executesql 'SELECT 1 AS a'", 214),
        ("DECLARE @s varchar(20) = 'SELECT 1 AS a'; EXEC sp_executesql @s", 214),
    ],
)
def test_further_errors_have_the_numbers_of_sql_server(shared_session, batch, number):
    with pytest.raises(SqlError) as caught:
        shared_session.run(batch)
    assert caught.value.number == number


def test_error_procedure_names_the_procedure_that_failed(session):
    session.run("CREATE PROCEDURE dbo.fails AS THROW 50005, 'x', 1")
    batch = "BEGIN TRY EXEC dbo.fails END TRY BEGIN CATCH SELECT ERROR_PROCEDURE() AS p END CATCH"
    assert session.run(batch)[-1].rows == [("fails",)]


def test_nested_conversions_of_moments_do_not_grow(shared_session):
    nested = "CAST('2024-01-02 03:04:05 +02:00' AS datetimeoffset)"
    for _ in range(6):
        nested = f"DATEADD(minute, 1, SWITCHOFFSET({nested}, '+01:00'))"
    assert value(shared_session, f"DATEPART(minute, {nested})") == 10
