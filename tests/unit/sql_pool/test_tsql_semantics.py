"""What SQL Server documents and engines get wrong: equal values, conversions, errors and scopes."""

import datetime
from decimal import Decimal

import pytest

from bikecast.core.sql import SqlError

TWO_BLANKS = "(SELECT 'a' AS x, 1 AS n UNION ALL SELECT 'A ', 2 UNION ALL SELECT 'b', 3) AS q"


def rows_of(session, batch):
    return session.run(batch)[-1].rows


def test_a_text_column_is_compared_with_a_constant_without_case_and_trailing_blanks(session):
    # What narrows the rows before the comparison must let all of these pass.
    session.run("CREATE TABLE t (name nvarchar(20)) WITH (HEAP)")
    names = ["STATION K", "station \u212a  ", "Station K", "Station KK", "Station", None]
    for name in names:
        session.run("INSERT INTO t SELECT ?", [name])
    assert rows_of(session, "SELECT COUNT(*) AS n FROM t WHERE name = 'station k '") == [(3,)]
    assert rows_of(session, "SELECT COUNT(*) AS n FROM t WHERE 'station k' = name") == [(3,)]
    assert rows_of(session, "SELECT COUNT(*) AS n FROM t WHERE NOT name = N'Station K'") == [(2,)]
    assert rows_of(session, "SELECT COUNT(*) AS n FROM t WHERE name IN ('x', 'STATION')") == [(1,)]


def test_a_day_as_text_is_the_same_day_whatever_the_order_of_dates(session):
    session.run("CREATE TABLE t (day date, moment datetime2) WITH (HEAP)")
    session.run("INSERT INTO t SELECT '2016-03-01', '2016-03-01'")
    for order in ("mdy", "dmy", "ydm"):
        batch = f"SET DATEFORMAT {order}; SELECT COUNT(*) AS n FROM t WHERE day = '2016-03-01' "
        assert rows_of(session, f"{batch} AND moment >= '2016-03-01'") == [(1,)]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (f"SELECT COUNT(*) AS c FROM {TWO_BLANKS} GROUP BY x ORDER BY c", [(1,), (2,)]),
        (f"SELECT COUNT(DISTINCT x) AS n FROM {TWO_BLANKS}", [(2,)]),
        (f"SELECT COUNT(*) AS n FROM (SELECT DISTINCT x FROM {TWO_BLANKS}) AS d", [(2,)]),
        ("SELECT COUNT(*) AS n FROM (SELECT 'a' AS x UNION SELECT 'A ') AS u", [(1,)]),
        ("SELECT COUNT(*) AS n FROM (SELECT 'a' AS x INTERSECT SELECT 'A ') AS u", [(1,)]),
        ("SELECT COUNT(*) AS n FROM (SELECT 'a' AS x EXCEPT SELECT 'A ') AS u", [(0,)]),
        (f"SELECT RANK() OVER (ORDER BY x) AS r FROM {TWO_BLANKS} ORDER BY r", [(1,), (1,), (3,)]),
        (
            "SELECT ROW_NUMBER() OVER (PARTITION BY x ORDER BY n) AS r "
            f"FROM {TWO_BLANKS} ORDER BY n",
            [(1,), (2,), (1,)],
        ),
        (
            f"SELECT RTRIM(UPPER(x)) AS u FROM {TWO_BLANKS} GROUP BY x HAVING x = 'A' ORDER BY x",
            [("A",)],
        ),
        (
            f"SELECT SUM(n) AS s, GROUPING(x) AS g FROM {TWO_BLANKS} GROUP BY ROLLUP(x) "
            "ORDER BY g, x",
            [(3, 0), (3, 0), (6, 1)],
        ),
        (
            "SELECT (SELECT COUNT(*) FROM (SELECT 'A' AS z) AS w WHERE w.z = q.x) AS n "
            f"FROM {TWO_BLANKS} GROUP BY x ORDER BY n",
            [(0,), (1,)],
        ),
        (
            "SELECT COUNT(*) AS n FROM (SELECT CAST('2024-03-05 13:00 +02:00' AS datetimeoffset) "
            "AS x UNION ALL SELECT CAST('2024-03-05 11:00 +00:00' AS datetimeoffset)) AS q "
            "GROUP BY x",
            [(2,)],
        ),
        (
            "SELECT x + '|' AS c FROM (SELECT CAST('a' AS char(3)) AS x) AS q GROUP BY x",
            [("a  |",)],
        ),
    ],
)  # fmt: skip
def test_values_that_compare_as_equal_are_one_group(shared_session, query, rows):
    assert rows_of(shared_session, query) == rows


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CAST('' AS float)", 0.0),
        ("CAST('true' AS bit)", True),
        ("CAST('2' AS bit)", True),
        ("CAST('$-1,234.5' AS money)", Decimal("-1234.5000")),
        ("CONVERT(varchar(40), CAST(123.456 AS float), 3)", "1.2345600000000000e+002"),
        (
            "CONVERT(varchar(40), CAST('2024-03-05 13:14:15 +02:00' AS datetimeoffset(0)), 127)",
            "2024-03-05T11:14:15Z",
        ),
        (
            "CONVERT(varchar(40), CAST('2024-03-05 13:14:15 +02:00' AS datetimeoffset(0)), 126)",
            "2024-03-05T13:14:15+02:00",
        ),
        (
            "CAST('2024-03-05 13:14:29.999' AS smalldatetime)",
            datetime.datetime(2024, 3, 5, 13, 15),
        ),
        ("CASE WHEN CAST('2024-03-05' AS datetime) > 5 THEN 1 ELSE 0 END", 1),
        ("-CAST(5 AS tinyint)", -5),
        ("0x10 + 1", 17),
        ("$1.5", Decimal("1.5000")),
        ("CASE WHEN 1 !> 2 AND 3 !< 2 THEN 1 ELSE 0 END", 1),
        ("@@DATEFIRST", 7),
        ("APPROX_COUNT_DISTINCT(1)", 1),
    ],
)
def test_a_value_is_that_of_sql_server(shared_session, expression, value):
    assert rows_of(shared_session, f"SELECT {expression} AS x") == [(value,)]


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("CAST('256' AS tinyint)", 244),
        ("CAST('99999999999' AS int)", 248),
        ("CAST('9223372036854775808' AS bigint)", 8115),
        ("CAST('abc' AS bigint)", 8114),
        ("CAST('abc' AS money)", 235),
        ("CAST('abc' AS bit)", 245),
        ("CAST('abc' AS smalldatetime)", 295),
        ("CAST('2079-06-07' AS smalldatetime)", 242),
        ("CAST(20240305 AS datetime)", 8115),
        ("CAST(1e20 AS int)", 232),
        ("POWER(2, 31)", 232),
        ("POWER(CAST('2012-01-01' AS date), 2)", 8116),
        ("CAST(300000 AS smallmoney)", 8115),
        ("CONVERT(varbinary(2), 'zz', 2)", 8114),
        ("CONVERT(varbinary(2), '0A0', 2)", 8114),
        ("CAST(NEWID() AS varchar(10))", 8170),
        ("CAST(CAST('10:00' AS time) AS date)", 529),
        ("CAST(1 AS decimal(5,6))", 192),
        ("CAST('a' AS varchar(0))", 1001),
        ("1e400", 168),
        ("RIGHT('abc', -1)", 536),
        ("SUBSTRING(123, 1, 1)", 8116),
        ("CONCAT('a')", 189),
        ("CASE WHEN 1 = 1 THEN NULL END", 8133),
        ("NULLIF(NULL, 1)", 4151),
        ("COUNT(NULL)", 8117),
        ("CAST(1 AS bit) + CAST(1 AS bit)", 402),
        ("CAST('2024-03-05' AS date) - CAST('2024-03-04' AS date)", 8117),
        ("-CAST(-32768 AS smallint)", 8115),
        ("CASE WHEN 'a' COLLATE NoSuch_CI = 'A' THEN 1 END", 448),
        (
            "CASE WHEN 'a' COLLATE Latin1_General_CS_AS = 'a' COLLATE Latin1_General_CI_AS "
            "THEN 1 END",
            468,
        ),
        ("ROW_NUMBER() OVER (ORDER BY 1)", 5308),
        ("LAG(1, -1) OVER (ORDER BY @@SPID)", 8730),
        ("LAG(1) OVER (ORDER BY @@SPID ROWS UNBOUNDED PRECEDING)", 10752),
        ("NTILE(0) OVER (ORDER BY @@SPID)", 4116),
        ("GROUPING(@@SPID)", 8161),
        ("(SELECT CAST('2024-01-01' AS date) UNION ALL SELECT 1)", 206),
    ],
)
def test_an_expression_fails_with_the_number_of_sql_server(shared_session, expression, number):
    with pytest.raises(SqlError) as caught:
        shared_session.run(f"SELECT {expression} AS x")
    assert caught.value.number == number


@pytest.mark.parametrize(
    ("clauses", "number"),
    [
        ("SELECT a, COUNT(*) AS n FROM {0}", 8120),
        ("SELECT a + b AS s FROM {0} GROUP BY a", 8120),
        ("SELECT a, SUM(b) OVER () AS s FROM {0} GROUP BY a", 8120),
        ("SELECT a FROM {0} GROUP BY a HAVING b > 1", 8121),
        ("SELECT a FROM {0} GROUP BY a ORDER BY b", 8127),
        ("SELECT a FROM {0} GROUP BY SUM(a)", 144),
    ],
)
def test_a_column_that_no_group_determines_is_named_with_its_clause(
    shared_session, clauses, number
):
    with pytest.raises(SqlError) as caught:
        shared_session.run(clauses.format("(SELECT 1 AS a, 2 AS b) AS q"))
    assert caught.value.number == number


def test_an_expression_with_a_variable_can_be_grouped_by(shared_session):
    batch = "DECLARE @n int = 2; SELECT a + @n AS b FROM (SELECT 1 AS a) AS q GROUP BY a + @n"
    assert rows_of(shared_session, batch) == [(3,)]


@pytest.mark.parametrize(
    ("batch", "rows"),
    [
        (
            "DECLARE @a int = 0; SELECT @a = @a + x FROM (SELECT 5 AS x UNION ALL SELECT 6) AS q; "
            "SELECT @a AS a",
            [(11,)],
        ),
        (
            "DECLARE @s varchar(9) = ''; SELECT @s = @s + x FROM (SELECT 'a' AS x UNION ALL "
            "SELECT 'b') AS q ORDER BY x DESC; SELECT @s AS s",
            [("ba",)],
        ),
        ("DECLARE @a int = 1, @b int; SELECT @a = @a + 1, @b = @a; SELECT @b AS b", [(2,)]),
        ("DECLARE @a int = 6; SET @a &= 3; SET @a |= 8; SET @a ^= 1; SELECT @a AS a", [(11,)]),
    ],
)
def test_an_assignment_sees_what_the_row_before_it_left(shared_session, batch, rows):
    assert rows_of(shared_session, batch) == rows


def test_an_undeclared_variable_refuses_the_batch_before_it_runs(session, error_number):
    assert error_number("CREATE TABLE t (a int); SELECT @nope AS x") == 137
    assert error_number("SELECT a FROM t") == 208
    assert error_number("CREATE PROCEDURE p AS SELECT @nope AS x") == 137


def test_a_statement_that_cannot_be_bound_passes_the_catch_block_of_its_batch(error_number):
    assert error_number(
        "BEGIN TRY SELECT a FROM nope END TRY BEGIN CATCH SELECT 1 AS x END CATCH"
    ) == 208  # fmt: skip


@pytest.mark.parametrize("call", ["EXEC ('SELECT a FROM nope')", "EXEC dbo.p"])
def test_a_catch_block_sees_the_binding_errors_of_what_it_calls(session, call):
    session.run("CREATE PROCEDURE dbo.p AS SELECT a FROM nope")
    batch = f"BEGIN TRY {call} END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS n END CATCH"
    assert rows_of(session, batch) == [(208,)]


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("INSERT INTO t (a) SELECT 1, 2", 121),
        ("INSERT INTO t (a, b) SELECT 1", 120),
        ("INSERT INTO d VALUES (5)", 206),
        ("CREATE VIEW v2 AS SELECT 1 AS a, 2 AS a", 4506),
        ("DROP TABLE v", 3705),
        ("DROP INDEX i ON nope", 3701),
        ("EXEC p @a = 1, @a = 2", 8143),
        ("DECLARE @x int; EXEC p @x OUTPUT", 8162),
        ("EXEC sp_executesql N'SELECT @a AS a', N'@a int'", 8178),
        ("CREATE PROCEDURE q @a int, @a int AS SELECT 1 AS a", 134),
        ("RAISERROR ('x', 19, 1)", 2754),
        ("RAISERROR ('x', 16, 1) WITH NOWAIT", 50000),
        ("RAISERROR (50001, 16, 1)", 103010),
        (
            "MERGE t USING (SELECT 1 AS a UNION ALL SELECT 1) AS s ON t.a = s.a "
            "WHEN MATCHED THEN UPDATE SET b = 1;",
            8672,
        ),
    ],
)
def test_a_statement_fails_with_the_number_of_sql_server(session, error_number, batch, number):
    session.run(
        "CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 1); CREATE TABLE d (a date)"
    )
    session.run("CREATE VIEW v AS SELECT 1 AS a")
    session.run("CREATE PROCEDURE p @a int AS SELECT @a AS a")
    assert error_number(batch) == number


def test_a_binary_column_pads_what_is_put_in(session, rows):
    session.run("CREATE TABLE t (a binary(3)); INSERT INTO t VALUES (0x01)")
    assert rows("SELECT a FROM t") == [(b"\x01\x00\x00",)]


@pytest.mark.parametrize(
    ("left", "right", "product"),
    [
        ("decimal(30,10)", "decimal(30,10)", "0.000001"),
        ("decimal(30,20)", "decimal(30,20)", "0.00000090000000000"),
    ],
)
def test_a_product_of_more_than_38_digits_is_rounded_to_its_scale(
    shared_session, left, right, product
):
    expression = f"CAST(0.0000009 AS {left}) * CAST(1 AS {right})"
    ((value,),) = rows_of(shared_session, f"SELECT {expression} AS x")
    assert format(value, "f") == product


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("decimal(10,2)", "decimal(5,4)", "decimal(13,4)"),
        ("decimal(38,10)", "decimal(38,20)", "decimal(38,10)"),
        ("decimal(38,2)", "decimal(38,2)", "decimal(38,2)"),
        ("decimal(38,0)", "decimal(10,5)", "decimal(38,0)"),
    ],
)
def test_a_sum_of_more_than_38_digits_keeps_the_whole_ones(shared_session, left, right, kind):
    query = f"SELECT CAST(1 AS {left}) - CAST(1 AS {right}) AS x"
    [column] = shared_session.run(query)[-1].columns
    assert column.sql_type == kind


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT definition FROM sys.sql_modules WHERE object_id = OBJECT_ID('v')",
         [("CREATE VIEW v AS SELECT 1 AS a",)]),
        ("SELECT OBJECT_DEFINITION(OBJECT_ID('v')) AS d", [("CREATE VIEW v AS SELECT 1 AS a",)]),
        ("SELECT name, parameter_id, is_output FROM sys.parameters "
         "WHERE object_id = OBJECT_ID('p')",
         [("@a", 1, False), ("@b", 2, True)]),
        ("SELECT name, type_desc FROM sys.indexes "
         "WHERE object_id = OBJECT_ID('t') AND index_id > 1",
         [("i", "NONCLUSTERED")]),
        ("SELECT seed_value, increment_value FROM sys.identity_columns "
         "WHERE object_id = OBJECT_ID('t')", [(5, 2)]),
        ("SELECT COLUMN_DEFAULT FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 't' "
         "AND COLUMN_DEFAULT IS NOT NULL ORDER BY ORDINAL_POSITION", [("((7))",), ("('x')",)]),
        ("SELECT COUNT(*) AS n FROM sys.all_objects WHERE name = 't'", [(1,)]),
    ],
)  # fmt: skip
def test_the_catalog_tells_what_was_defined(session, query, found):
    session.run(
        "CREATE TABLE t (id int IDENTITY(5,2), a int DEFAULT 7, b varchar(5) DEFAULT 'x') "
        "WITH (HEAP)"
    )
    session.run("CREATE INDEX i ON t (a)")
    session.run("CREATE VIEW v AS SELECT 1 AS a")
    session.run("CREATE PROCEDURE p @a int, @b varchar(5) OUTPUT AS SELECT 1 AS a")
    assert rows_of(session, query) == found


@pytest.mark.parametrize(
    "batch",
    [
        "SELECT * FROM sys.tables ORDER",
        "SELECT , 1",
        "SELECT 1 AS",
        "SELECT COUNT(*) OVER (PARTITION BY) AS n",
        "SELECT 1 AS order",
        "SELECT 1 key",
        "SELECT a FROM (SELECT 1 AS a) AS plan",
        "CREATE TABLE order (a int)",
        "CREATE TABLE t (key int)",
        "WITH index AS (SELECT 1 AS a) SELECT a FROM index",
    ],
)
def test_a_reserved_word_is_no_name_and_no_clause_is_empty(error_number, batch):
    assert error_number(batch) == 103010


def test_a_quoted_reserved_word_and_a_variable_of_that_name_are_names(session, rows):
    session.run('CREATE TABLE [order] ([key] int, "user" int, value int, date int)')
    batch = "DECLARE @order int = 1; SELECT @order AS [plan], [key], value, date FROM [order]"
    assert rows(batch) == []


@pytest.mark.parametrize(
    ("collation", "number"),
    [("Latin1_General_BIN2", 103010), ("SQL_Latin1_General_CP1_CS_AS", 103010), ("No_CI", 448)],
)
def test_a_column_takes_no_collation_that_compares_otherwise(error_number, collation, number):
    assert error_number(f"CREATE TABLE t (a varchar(5) COLLATE {collation})") == number


def test_bits_and_binary_values_take_bitwise_operators(shared_session):
    batch = "SELECT ~CAST(1 AS bit) AS a, CAST(1 AS bit) ^ CAST(0 AS bit) AS b, 0x41 & 1 AS c"
    assert rows_of(shared_session, batch) == [(False, True, 1)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("CAST(CAST('2024-03-05T13:14:15.1234567' AS datetime2) AS varchar(30))",
         "2024-03-05 13:14:15.1234567"),
        ("CAST(CAST('2024-03-05T23:59:59.9999999' AS datetime2) AS varchar(30))",
         "2024-03-05 23:59:59.9999999"),
        ("CAST(CAST('2024-03-05T13:14:15.1234567' AS datetime2(3)) AS varchar(30))",
         "2024-03-05 13:14:15.123"),
        ("CONVERT(varchar(50), CAST('2024-03-05T13:14:15.1234567+05:30' AS datetimeoffset), 127)",
         "2024-03-05T07:44:15.1234567Z"),
        ("DATEPART(ns, CAST('10:00:00.1234567' AS time))", 123456700),
    ],
)  # fmt: skip
def test_a_constant_keeps_its_seventh_digit(shared_session, expression, value):
    assert rows_of(shared_session, f"SELECT {expression} AS x") == [(value,)]


@pytest.mark.parametrize(
    ("query", "names", "row"),
    [
        ("SELECT 'a' 'b'", ["b"], ("a",)),
        ("SELECT 'a' N'b', N'c' 'd'", ["b", "d"], ("a", "c")),
        ("SELECT 1 'c', 2 AS 'd', UPPER('q') 'it''s'", ["c", "d", "it's"], (1, 2, "Q")),
        ("SELECT 'a'\n'b', 'x' + 'y' 'z'", ["b", "z"], ("a", "xy")),
    ],
)
def test_a_text_behind_an_expression_is_its_alias(shared_session, query, names, row):
    (found,) = shared_session.run(query)
    assert [column.name for column in found.columns] == names
    assert found.rows == [row]


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("SELECT LEN('a' 'b')", 103010),
        ("SELECT 'a' 'b' 'c'", 103010),
        ("SELECT 1 WHERE 'a' = 'a' 'b'", 103010),
        ("DECLARE @x varchar(9) = 'a' 'b'", 103010),
        ("SELECT 1 ''", 103010),
        ("SELECT 1 AS []", 1038),
    ],
)
def test_a_text_behind_a_text_is_nothing_else(shared_session, error_of, batch, number):
    assert error_of(shared_session, batch).number == number
