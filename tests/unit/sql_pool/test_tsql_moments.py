"""Dates and times: the ends of their types, FORMAT, and the order in which a text is read."""

import datetime

import pytest


def rows_of(session, batch):
    return session.run(batch)[-1].rows


INT_ENDS = (-(2**31), 2**31 - 1)


@pytest.mark.parametrize("number", INT_ENDS)
@pytest.mark.parametrize("part", ["year", "quarter", "month", "week", "day", "dayofyear"])
@pytest.mark.parametrize(
    "kind", ["date", "smalldatetime", "datetime", "datetime2", "datetimeoffset"]
)
def test_dateadd_past_the_end_of_a_type_is_error_517(shared_session, error_of, part, number, kind):
    error = error_of(
        shared_session, f"SELECT DATEADD({part}, {number}, CAST('2024-01-31' AS {kind}))"
    )
    assert error.number == 517
    assert error.message == f"Adding a value to a '{kind}' column caused an overflow."


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("DATEADD(day, 1, '9999-12-31')", "datetime"),
        ("DATEADD(year, -300, CAST('2024-01-01' AS datetime))", "datetime"),
        ("DATEADD(day, -1, CAST('0001-01-01' AS datetime2))", "datetime2"),
        ("DATEADD(hour, 2147483647, CAST('2024-01-01' AS datetime2))", "datetime2"),
        ("DATEADD(day, 1, CAST('2079-06-06' AS smalldatetime))", "smalldatetime"),
        ("DATEADD(minute, -1, CAST('1900-01-01' AS smalldatetime))", "smalldatetime"),
        ("DATEADD(hour, 1, CAST('9999-12-31 12:00 -11:00' AS datetimeoffset))", "datetimeoffset"),
        ("EOMONTH('9999-12-31', 1)", "date"),
        ("EOMONTH('2024-01-01', 2147483647)", "date"),
        ("CAST('9999-12-31' AS datetime) + 1", "datetime"),
    ],
)
def test_a_moment_past_the_end_of_its_type_names_the_type(
    shared_session, error_of, expression, kind
):
    error = error_of(shared_session, f"SELECT {expression}")
    assert (error.number, f"'{kind}'" in error.message) == (517, True)


def test_dateadd_of_null_is_null_and_of_the_last_moment_is_that_moment(shared_session):
    query = (
        "SELECT DATEADD(day, CAST(NULL AS int), GETDATE()), "
        "DATEADD(month, 1, CAST(NULL AS date)), "
        "DATEADD(year, 9998, CAST('0001-12-31' AS date)), "
        "DATEADD(week, -521722, CAST('9999-12-31' AS date))"
    )
    assert rows_of(shared_session, query) == [
        (None, None, datetime.date(9999, 12, 31), datetime.date(1, 1, 1) + datetime.timedelta(4))
    ]


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("CAST('9999-12-31 12:00 -14:00' AS datetimeoffset)", 241),
        ("TODATETIMEOFFSET(CAST('0001-01-01' AS datetime2), '+01:00')", 9813),
        ("SWITCHOFFSET(CAST('0001-01-01' AS datetimeoffset), '-01:00')", 9813),
        ("DATEADD(microsecond, 1, CAST('2024-01-01' AS datetime))", 9810),
        ("DATEADD(nanosecond, 1, '2024-01-01')", 9810),
    ],
)
def test_a_moment_that_no_type_holds_is_an_error(shared_session, error_of, expression, number):
    assert error_of(shared_session, f"SELECT {expression}").number == number


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("hh", "13"),
        ("%h", "13"),
        (r"hh\:mm", "13:04"),
        (r"hh\.mm\.ss", "13.04.05"),
        (r"hh':'mm' h'", "13:04 h"),
        (r"h\:m\:s\.fff", "13:4:5.250"),
        (r"ss\.FFFFFFF", "05.25"),
        ("c", "13:04:05.2500000"),
        ("t", "13:04:05.2500000"),
        ("g", "13:04:05.25"),
        ("G", "0:13:04:05.2500000"),
        ("hh:mm", None),
        ("hh.mm", None),
        ("HH", None),
        ("hhh", None),
        ("h", None),
        ("hh mm", None),
        ("tt", None),
        ("hh'", None),
        ("hh\\", None),
    ],
)
def test_a_time_is_formatted_as_an_interval_of_dot_net(shared_session, pattern, text):
    query = "SELECT FORMAT(CAST('13:04:05.25' AS time), ?)"
    assert shared_session.run(query, [pattern])[-1].rows == [(text,)]


@pytest.mark.parametrize(
    ("moment", "pattern", "text"),
    [
        ("CAST('2024-03-05 13:04:05 +05:30' AS datetimeoffset)", "yyyy-MM-dd HH:mm zzz",
         "2024-03-05 13:04 +05:30"),
        ("CAST('2024-03-05 13:04:05 -02:00' AS datetimeoffset)", "HH z zz K", "13 -2 -02 -02:00"),
        ("CAST('2024-03-05 13:04:05 -02:00' AS datetimeoffset)", "u", "2024-03-05 15:04:05Z"),
        ("CAST('2024-03-05 13:04:05 -02:00' AS datetimeoffset)", "o",
         "2024-03-05T13:04:05.0000000-02:00"),
        ("CAST('2024-03-05 13:04:05' AS datetime2)", "R", "Tue, 05 Mar 2024 13:04:05 GMT"),
        ("CAST('2024-03-05 13:04:05' AS datetime2)", "HH:mm:ss.FFF K|", "13:04:05 |"),
        ("CAST('2024-03-05 13:04:05' AS datetime2)", "hh:mm tt", "01:04 PM"),
        ("CAST('2024-03-05' AS date)", "ffffffff", None),
        ("CAST('2024-03-05' AS date)", "yyyy'", None),
        ("CAST(NULL AS datetimeoffset)", "zzz", None),
    ],
)  # fmt: skip
def test_a_moment_is_formatted_with_its_offset(shared_session, moment, pattern, text):
    query = f"SELECT FORMAT({moment}, ?)"
    assert shared_session.run(query, [pattern])[-1].rows == [(text,)]


@pytest.mark.parametrize(
    ("order", "expression", "date"),
    [
        ("dmy", "CAST('31/12/2008 09:01' AS datetime2)", datetime.datetime(2008, 12, 31, 9, 1)),
        ("dmy", "CAST('05.03.24' AS date)", datetime.date(2024, 3, 5)),
        ("dmy", "CAST('2024-03-05' AS datetime)", datetime.datetime(2024, 5, 3)),
        ("dmy", "CAST('2024-03-05' AS date)", datetime.date(2024, 3, 5)),
        ("dmy", "CAST('2024-03-05T10:00:00' AS datetime)", datetime.datetime(2024, 3, 5, 10)),
        ("dmy", "CAST('20240305' AS smalldatetime)", datetime.datetime(2024, 3, 5)),
        ("dmy", "CONVERT(datetime, '03/05/2024', 101)", datetime.datetime(2024, 3, 5)),
        ("dmy", "DATEADD(day, 1, '31/12/2008')", datetime.datetime(2009, 1, 1)),
        ("dmy", "ISDATE('12/31/2008')", 0),
        ("ymd", "CAST('24/03/05' AS date)", datetime.date(2024, 3, 5)),
        ("ydm", "CAST('24/31/12' AS datetime)", datetime.datetime(2024, 12, 31)),
        ("myd", "CAST('12-24-31' AS datetime)", datetime.datetime(2024, 12, 31)),
        ("'dym'", "CAST('31-24-12' AS datetime)", datetime.datetime(2024, 12, 31)),
        ("mdy", "CAST('12/31/2008' AS date)", datetime.date(2008, 12, 31)),
    ],
)
def test_dateformat_is_the_order_in_which_a_text_is_read(session, rows, order, expression, date):
    session.run(f"SET DATEFORMAT {order}")
    assert rows(f"SELECT {expression} AS a") == [(date,)]


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("SET DATEFORMAT dmy; SELECT CAST('12/31/2008' AS datetime2)", 241),
        ("SET DATEFORMAT dmy; SELECT CAST('12/31/2008' AS datetime)", 242),
        ("SET DATEFORMAT dmy; SELECT CAST('2024/03/05' AS date)", 103010),
        ("SET DATEFORMAT ydm; SELECT CAST('24/31/12' AS date)", 103010),
        ("SET DATEFORMAT abc", 2741),
        ("SET DATEFORMAT @order", 103010),
    ],
)
def test_a_text_in_another_order_is_an_error(error_number, batch, number):
    assert error_number(batch) == number


def test_a_dateformat_ends_with_the_procedure_or_text_that_sets_it(session, rows):
    session.run("CREATE PROCEDURE p AS SET DATEFORMAT dmy; SELECT CAST('31/12/2008' AS date) AS d")
    session.run("SET DATEFORMAT ymd")
    assert rows("EXEC p") == [(datetime.date(2008, 12, 31),)]
    session.run("EXEC ('SET DATEFORMAT myd')")
    session.run("EXEC sp_executesql N'SET DATEFORMAT myd'")
    assert rows("SELECT CAST('24/03/05' AS date)") == [(datetime.date(2024, 3, 5),)]


def test_a_dateformat_is_that_of_its_session(pool):
    with pool.session() as first, pool.session() as second:
        first.run("SET DATEFORMAT dmy")
        assert rows_of(second, "SELECT CAST('12/31/2008' AS date)") == [
            (datetime.date(2008, 12, 31),)
        ]
