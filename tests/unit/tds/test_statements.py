"""What ODBC Driver 18 sends and what it gets back."""

import concurrent.futures
import datetime
import decimal
import threading
import uuid

import pytest

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)


def rows(connection, batch, *parameters):
    return [tuple(row) for row in connection.execute(batch, *parameters).fetchall()]


def rest(cursor):
    return [tuple(row) for row in cursor.fetchall()]


def literal(value, kind):
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if kind == "datetime":
        return f"'{value.isoformat(timespec='milliseconds')}'"
    return "N'" + str(value).replace("'", "''") + "'"


VALUES = {
    "tinyint": (200, 0),
    "smallint": (-3000, 0),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
    "bit": (True, False),
    "real": (-1.5, 0.25),
    "float": (-1.0e300, 5e-324),
    "decimal(9,2)": (decimal.Decimal("-1234567.89"), decimal.Decimal("0.01")),
    "decimal(19,0)": (decimal.Decimal(10**18), decimal.Decimal(-1)),
    "decimal(28,10)": (decimal.Decimal("123456789012345678.0123456789"), decimal.Decimal(0)),
    "decimal(38,38)": (decimal.Decimal("-0." + "9" * 38), decimal.Decimal("0." + "0" * 37 + "1")),
    "money": (decimal.Decimal("-922337203685477.5808"), decimal.Decimal("1.5000")),
    "smallmoney": (decimal.Decimal("-214748.3648"), decimal.Decimal("0.0001")),
    "date": (datetime.date(1, 1, 1), datetime.date(9999, 12, 31)),
    "time(6)": (datetime.time(23, 59, 59, 999999), datetime.time(0)),
    "datetime2(6)": (
        datetime.datetime(1, 1, 1),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
    ),
    "datetime": (
        datetime.datetime(1753, 1, 1),
        datetime.datetime(2024, 2, 29, 23, 59, 59, 997000),
    ),
    "smalldatetime": (datetime.datetime(1900, 1, 1), datetime.datetime(2079, 6, 6, 23, 59)),
    "uniqueidentifier": (
        "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        str(uuid.UUID(int=0)),
    ),
    "varchar(30)": ("é€ x", ""),
    "nvarchar(30)": ("中😀 '", ""),
    "nvarchar(max)": ("ü" * 5_000, "x"),
    "varbinary(max)": (b"\x00\xff" * 10_000, b""),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_of_each_type_and_null_come_back(connection, kind):
    first, second = VALUES[kind]
    literals = [literal(value, kind) for value in (first, second)]
    batch = " UNION ALL ".join(
        f"SELECT {number} AS n, CAST({text} AS {kind}) AS v"
        for number, text in enumerate([*literals, "NULL"])
    )

    found = [value for _, value in rows(connection, f"{batch} ORDER BY n")]

    assert found == [first, second, None]


@pytest.mark.parametrize(
    "value",
    [
        0,
        2**40,
        -1.5,
        "it's 中😀",
        "",
        b"\x00\xff",
        True,
        decimal.Decimal("-123.4500"),
        datetime.datetime(2024, 2, 29, 12, 30, 15, 123456),
        datetime.date(2024, 2, 29),
        None,
    ],
    ids=repr,
)
def test_a_parameter_comes_back_as_it_went_in(connection, value):
    assert rows(connection, "SELECT ? AS x", value) == [(value,)]


def test_a_datetimeoffset_keeps_its_offset(connection):
    connection.add_output_converter(-155, bytes)
    ((raw,),) = rows(
        connection, "SELECT CAST('2024-01-02 03:04:05.5 -05:30' AS datetimeoffset) AS x"
    )
    assert raw[:12].hex() == "e80701000200030004000500"
    assert raw[-4:].hex() == "fbffe2ff"


def test_a_parameter_takes_the_offset_of_its_time_zone(connection):
    connection.add_output_converter(-155, bytes)
    local, zone = datetime.datetime(2024, 7, 1, 12), "Newfoundland Standard Time"
    batch = "SELECT CAST(? AS datetime2(0)) AT TIME ZONE ? AS x"
    ((raw,),) = rows(connection, batch, local, zone)
    assert raw[:12].hex() == "e807070001000c0000000000"
    assert raw[-4:].hex() == "feffe2ff"


def test_five_megabytes_go_in_and_come_back(connection, table):
    model = bytes(range(256)) * 20_000
    connection.execute("INSERT INTO dbo.t (a, m) VALUES (?, ?)", 1, model)
    assert rows(connection, "SELECT m FROM dbo.t") == [(model,)]


def test_long_text_needs_the_drivers_own_option_as_in_azure(connect, table):
    with pytest.raises(pyodbc.Error, match="LongAsMax"):
        connect().execute("INSERT INTO dbo.t (a, b) VALUES (?, ?)", 1, "x" * 5_000)
    modern = connect(LongAsMax="yes")
    modern.execute("INSERT INTO dbo.t (a, b) VALUES (?, ?)", 1, "x" * 5_000)
    assert rows(modern, "SELECT LEN(b) AS n FROM dbo.t") == [(5_000,)]


def test_fast_executemany_inserts_all_rows(connection, table):
    values = [(i, f"é{i}" if i % 3 else None, b"q" * i, decimal.Decimal(i) / 8) for i in range(30)]
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.fast_executemany = True

    cursor.executemany("INSERT INTO dbo.t (a, b, m, d) VALUES (?, ?, ?, ?)", values)
    connection.commit()

    assert rows(connection, "SELECT a, b, m, d FROM dbo.t ORDER BY a") == values
    connection.commit()


def test_the_type_of_a_null_is_that_of_its_column(connection, table):
    connection.execute("INSERT INTO dbo.t (a, m, d) VALUES (?, ?, ?)", 1, None, None)
    connection.execute("UPDATE dbo.t SET m = ? WHERE a = ?", None, 1)
    assert rows(connection, "SELECT m, d FROM dbo.t") == [(None, None)]


def test_changed_rows_are_counted(connection, table):
    assert connection.execute("INSERT INTO dbo.t (a) VALUES (?)", 1).rowcount == 1
    assert connection.execute("UPDATE dbo.t SET b = N'x'").rowcount == 1
    assert connection.execute("DELETE FROM dbo.t WHERE a = 2").rowcount == 0


def test_a_count_comes_before_the_next_result_unless_nocount_is_on(connection, table):
    cursor = connection.execute("INSERT INTO dbo.t (a) VALUES (1); SELECT 5 AS x")
    assert cursor.description is None
    assert cursor.nextset()
    assert rest(cursor) == [(5,)]
    quiet = "SET NOCOUNT ON; INSERT INTO dbo.t (a) VALUES (1); SELECT 5 AS x"
    assert rows(connection, quiet) == [(5,)]


def test_all_result_sets_and_messages_of_a_batch_arrive(connection):
    cursor = connection.execute("PRINT 'hello'; SELECT 1 AS a; SELECT N'x' AS b WHERE 1 = 0")
    assert [text.rpartition("]")[2] for _, text in cursor.messages] == ["hello"]
    assert rest(cursor) == [(1,)]
    assert cursor.nextset()
    assert [column[0] for column in cursor.description] == ["b"]
    assert cursor.fetchall() == []
    assert not cursor.nextset()


def test_results_before_an_error_are_kept(connection):
    cursor = connection.execute("SELECT 1 AS a; SELECT 1 / 0 AS b")
    assert rest(cursor) == [(1,)]
    with pytest.raises(pyodbc.Error, match="8134"):
        cursor.nextset()


@pytest.mark.parametrize(
    ("batch", "number", "state"),
    [
        ("SELECT * FROM dbo.nope", 208, "42S02"),
        ("SELECT nope FROM dbo.t", 207, "42S22"),
        ("SELECT 1 / 0", 8134, "22012"),
        ("INSERT INTO dbo.t (a) VALUES (NULL)", 515, "23000"),
        ("SELEC 1", 103010, "42000"),
        ("EXEC dbo.nope", 2812, "42000"),
    ],
)
def test_the_driver_makes_sqlstates_of_the_numbers(connection, table, batch, number, state):
    with pytest.raises(pyodbc.Error, match=rf"\({number}\)") as caught:
        connection.execute(batch)
    assert caught.value.args[0] == state


def test_a_procedure_is_called_with_parameters_and_by_odbc_syntax(connection):
    connection.execute(
        "CREATE PROCEDURE dbo.p @x int, @y nvarchar(20) AS "
        "BEGIN SELECT @x AS x, @y AS y; SELECT 2 AS z; END"
    )
    try:
        assert rows(connection, "EXEC dbo.p @x = ?, @y = ?", 5, "hey") == [(5, "hey")]
        cursor = connection.execute("{CALL dbo.p(?, ?)}", 6, "you")
        assert rest(cursor) == [(6, "you")]
        assert cursor.nextset()
        assert rest(cursor) == [(2,)]
    finally:
        connection.execute("DROP PROCEDURE dbo.p")


def test_a_prepared_statement_runs_again_with_other_values(connection):
    cursor = connection.cursor()
    assert [cursor.execute("SELECT ? AS x", i).fetchval() for i in range(3)] == [0, 1, 2]


def test_without_autocommit_work_waits_for_commit(connect, table):
    manual = connect(autocommit=False)
    manual.execute("INSERT INTO dbo.t (a) VALUES (1)")
    manual.rollback()
    manual.execute("INSERT INTO dbo.t (a) VALUES (2)")
    manual.commit()
    manual.execute("INSERT INTO dbo.t (a) VALUES (3)")
    manual.close()
    assert rows(connect(), "SELECT a FROM dbo.t") == [(2,)]


def test_a_batch_that_fails_is_not_committed(connect, table):
    manual = connect(autocommit=False)
    manual.execute("INSERT INTO dbo.t (a) VALUES (1)")
    with pytest.raises(pyodbc.Error, match="515"):
        manual.execute("INSERT INTO dbo.t (a) VALUES (NULL)")
    manual.commit()
    assert rows(connect(), "SELECT a FROM dbo.t") == []


@pytest.mark.parametrize(
    "batch",
    [
        "DECLARE @i int = 0; WHILE 1 = 1 SET @i = @i + 1",
        "WHILE 1 = 1 BEGIN BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH DECLARE @x int END CATCH END",
    ],
    ids=["loop", "loop that catches"],
)
def test_a_query_that_takes_too_long_is_ended_and_the_connection_lives(connection, batch):
    connection.timeout = 1
    with pytest.raises(pyodbc.Error) as caught:
        connection.execute(batch)
    assert caught.value.args[0] == "HYT00"
    assert rows(connection, "SELECT 1 AS a") == [(1,)]


def test_a_query_is_cancelled_from_another_thread(connection):
    cursor = connection.cursor()
    timer = threading.Timer(0.5, cursor.cancel)
    timer.start()
    with pytest.raises(pyodbc.Error) as caught:
        cursor.execute("DECLARE @i int = 0; WHILE 1 = 1 SET @i = @i + 1")
    timer.join()
    assert caught.value.args[0] in ("HY008", "HYT00")
    assert rows(connection, "SELECT 1 AS a") == [(1,)]


def test_sessions_work_side_by_side_and_keep_their_temporary_tables(connect):
    def work(number):
        client = connect()
        client.execute("CREATE TABLE #own (a int) WITH (DISTRIBUTION = ROUND_ROBIN)")
        client.execute("INSERT INTO #own (a) VALUES (?)", number)
        return rows(client, "SELECT a FROM #own")

    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        assert list(workers.map(work, range(8))) == [[(number,)] for number in range(8)]
