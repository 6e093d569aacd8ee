"""What expressions are worth, and of which type, in SQL Server's words."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.sql import SqlError


@pytest.mark.parametrize(
    ("expression", "sql_type", "value"),
    [
        ("7 / 2", "int", 3),
        ("-7 / 2", "int", -3),
        ("-7 % 3", "int", -1),
        ("1e0 / 4", "float", 0.25),
        ("CAST(1 AS real) / 4", "real", 0.25),
        ("1.50 + 1", "decimal(4,2)", Decimal("2.50")),
        ("5 + '10'", "int", 15),
        ("CAST(2147483647 AS bigint) + 1", "bigint", 2147483648),
        ("2147483648", "decimal(10,0)", Decimal(2147483648)),
        ("'a' + 'b'", "varchar", "ab"),
        ("N'a' + 'b'", "nvarchar", "ab"),
        ("'a' + NULL", "varchar", None),
        ("LEN('ab  ')", "int", 2),
        ("LEN(0x010200)", "int", 3),
        ("CAST('abcdef' AS varchar(3))", "varchar", "abc"),
        ("CAST(3.7 AS int)", "int", 3),
        ("CAST(-12345 AS varchar(4))", "varchar", "*"),
        ("CAST(CAST(1 AS bit) AS varchar(5))", "varchar", "1"),
        ("CAST(0.1 AS float)", "float", 0.1),
        ("CAST(1 AS bit)", "bit", True),
        ("CAST('2024-03-05' AS date)", "date", date(2024, 3, 5)),
        ("CONVERT(varchar(10), CAST('2024-03-05' AS date), 103)", "varchar", "05/03/2024"),
        ("CONVERT(varchar(10), 0x0A0B, 1)", "varchar", "0x0A0B"),
        ("TRY_CAST('abc' AS int)", "int", None),
        ("DATEADD(month, 1, CAST('2024-01-31' AS date))", "date", date(2024, 2, 29)),
        ("DATEDIFF(year, '2023-12-31', '2024-01-01')", "int", 1),
        ("CAST('2024-03-05T13:14:15.002' AS datetime)", "datetime",
         datetime(2024, 3, 5, 13, 14, 15, 3000)),
        ("SUBSTRING('abcdef', 2, 3)", "varchar", "bcd"),
        ("CHARINDEX('B', 'abc')", "int", 2),
        ("REPLACE('aXbxc', 'x', '-')", "varchar", "a-b-c"),
        ("CONCAT('a', 1, NULL, 2.5)", "varchar", "a12.5"),
        ("ISNULL(NULL, 3)", "int", 3),
        ("COALESCE(NULL, 'a', 'b')", "varchar", "a"),
        ("NULLIF('A', 'a')", "varchar", None),
        ("CASE 'A' WHEN 'a' THEN 1 ELSE 2.5 END", "decimal(11,1)", Decimal("1.0")),
        ("0x0102 + 0x03", "varbinary", b"\x01\x02\x03"),
        ("POWER(2, 10)", "int", 1024),
        ("POWER(CAST(1 AS bit), 2)", "float", 1.0),
    ],
)  # fmt: skip
def test_an_expression_has_the_type_and_the_value_of_sql_server(
    shared_session, expression, sql_type, value
):
    (result,) = shared_session.run(f"SELECT {expression} AS x")
    assert [(column.name, column.sql_type) for column in result.columns] == [("x", sql_type)]
    assert result.rows == [(value,)]


@pytest.mark.parametrize(
    "condition",
    [
        "'ABC' = 'abc'",
        "'abc' = 'abc   '",
        "'a' IN ('B', 'A')",
        "'Hello' LIKE '[a-i]%'",
        "'50%' LIKE '50!%' ESCAPE '!'",
        "'abc' NOT LIKE '%z%'",
        "2 BETWEEN 1 AND 3",
        "1.0 = 1",
        "NOT (NULL = NULL OR 1 = 2) OR 1 = 1",
    ],
)
def test_a_condition_holds(shared_session, condition):
    assert shared_session.run(f"SELECT 1 AS x WHERE {condition}")[0].rows == [(1,)]


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("1 / 0", 8134),
        ("1e0 / 0", 8134),
        ("2147483647 + 1", 8115),
        ("CAST(300 AS tinyint)", 220),
        ("CAST('abc' AS int)", 245),
        ("CAST('3.7' AS int)", 245),
        ("CAST('99999999999' AS int)", 248),
        ("CAST('x' AS float)", 8114),
        ("CAST('nan' AS float)", 8114),
        ("CAST('not a date' AS date)", 241),
        ("CAST('infinity' AS date)", 241),
        ("SQRT(-1)", 3623),
        ("0x01 = 'a'", 103010),
        ("CASE WHEN 0x01 = 'a' THEN 1 END", 402),
        ("SUBSTRING('abc', 1, -1)", 537),
        ("CAST(1 AS date)", 529),
        ("nosuchfunction(1)", 195),
        ("@nope", 137),
        ("LEN('a', 'b')", 174),
    ],
)
def test_an_error_has_the_number_of_sql_server(shared_session, expression, number):
    with pytest.raises(SqlError) as caught:
        shared_session.run(f"SELECT {expression} AS x")
    assert caught.value.number == number


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00")))
def test_any_text_passes_as_a_parameter_and_as_a_literal(shared_session, text):
    literal = "N'" + text.replace("'", "''") + "'"
    result = shared_session.run(f"SELECT ? AS a, {literal} AS b", [text])[0]
    assert result.rows == [(text, text)]


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1).filter(bool))
def test_integer_division_cuts_towards_zero(shared_session, left, right):
    expected = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    result = shared_session.run("SELECT CAST(? AS bigint) / ? AS x", [left, right])[0]
    assert result.rows == [(expected,)]


def test_sysutcdatetime_is_the_time_of_the_statement(shared_session):
    before = datetime.now(UTC).replace(tzinfo=None)
    first, second = (shared_session.run("SELECT SYSUTCDATETIME()")[0].rows[0][0] for _ in "ab")
    assert before <= first < second


def test_an_expression_that_is_nested_too_deeply_is_an_error(shared_session):
    for expression in ("(" * 3000 + "1" + ")" * 3000, "1" + " + 1" * 5000):
        with pytest.raises(SqlError, match="nested too deeply"):
            shared_session.run(f"SELECT {expression}")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CAST(0.5 AS varchar(5))", "0.5"),
        ("CONCAT(-0.25, '|')", "-0.25|"),
        ("CAST(CAST(0 AS decimal(2,2)) AS varchar(5))", "0.00"),
        ("(SELECT AVG(x) FROM (SELECT 1.0 AS x UNION ALL SELECT 2 UNION ALL SELECT 2) AS q)",
         Decimal("1.666666")),
        ("(SELECT AVG(CAST(x AS money)) FROM (SELECT 1 AS x UNION ALL SELECT 2 UNION ALL SELECT 2) "
         "AS q)", Decimal("1.6666")),
        ("CAST(100 AS money) / CAST(339 AS money) * CAST(10000 AS money)", Decimal("2949.0000")),
        ("DATEPART(microsecond, CAST('2024-03-05T00:00:00.1234567' AS datetime2))", 123456),
    ],
)  # fmt: skip
def test_digits_are_cut_where_sql_server_cuts_them(shared_session, expression, value):
    assert shared_session.run(f"SELECT {expression} AS a")[0].rows == [(value,)]


def test_select_assigns_with_every_compound_operator(shared_session):
    batch = (
        "DECLARE @a int = 10, @b int = 6; SELECT @a += 5, @b &= 3; SELECT @a -= 1 - 2; "
        "SELECT @a AS a, @b AS b"
    )
    assert shared_session.run(batch)[0].rows == [(16, 2)]


@pytest.mark.parametrize("name", ["Precision", "CharMaxLen"])
def test_a_column_of_text_has_its_length_in_characters(shared_session, name):
    found = shared_session.run(
        "CREATE TABLE dbo.lengths (v varchar(10), n nvarchar(10), m varchar(max), i int) "
        "WITH (HEAP); "
        f"SELECT COLUMNPROPERTY(OBJECT_ID('dbo.lengths'), 'v', '{name}') AS v, "
        f"COLUMNPROPERTY(OBJECT_ID('dbo.lengths'), 'n', '{name}') AS n, "
        f"COLUMNPROPERTY(OBJECT_ID('dbo.lengths'), 'm', '{name}') AS m, "
        f"COLUMNPROPERTY(OBJECT_ID('dbo.lengths'), 'i', '{name}') AS i; DROP TABLE dbo.lengths"
    )
    assert found[0].rows == [(10, 10, -1, 10 if name == "Precision" else None)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("PARSENAME('s.d.c.t', 1)", "t"),
        ("PARSENAME('s.d.c.t', 4)", "s"),
        ("PARSENAME('[a.b].\"c\"', 2)", "a.b"),
        ("PARSENAME('[a]]b]', 1)", "a]b"),
        ("PARSENAME('d..t', 3)", "d"),
        ("PARSENAME('d..t', 2)", None),
        ("PARSENAME('t', 2)", None),
        ("PARSENAME('a.b.c.d.e', 1)", None),
        ("PARSENAME('a.', 2)", None),
        ("PARSENAME(NULL, 1)", None),
        ("QUOTENAME('a`b', '`')", "`a``b`"),
        ("ISDATE('')", 0),
        ("ISDATE(' ')", 0),
        ("LEFT(SESSION_ID(), 3)", "SID"),
    ],
)
def test_functions_of_names_and_dates_answer_as_documented(shared_session, expression, value):
    assert shared_session.run(f"SELECT {expression} AS a")[0].rows == [(value,)]
