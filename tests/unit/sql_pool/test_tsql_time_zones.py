"""AT TIME ZONE and sys.time_zone_info: Windows' zones, and the clock's changes as documented."""

import datetime

import pytest

CENTRAL = "'Central European Standard Time'"


def value(session, expression):
    return session.run(f"SELECT {expression} AS a")[-1].rows[0][0]


def text(session, expression):
    return value(session, f"CONVERT(varchar(40), {expression})")


@pytest.mark.parametrize(
    ("local", "zoned"),
    [
        ("2022-03-27T01:01:00", "2022-03-27 01:01:00 +01:00"),
        ("2022-03-27T02:01:00", "2022-03-27 03:01:00 +02:00"),
        ("2022-03-27T03:01:00", "2022-03-27 03:01:00 +02:00"),
        ("2022-10-30T01:01:00", "2022-10-30 01:01:00 +02:00"),
        ("2022-10-30T02:00:00", "2022-10-30 02:00:00 +02:00"),
        ("2022-10-30T03:01:00", "2022-10-30 03:01:00 +01:00"),
    ],
)
def test_a_clock_time_near_a_change_is_that_of_the_documentation(shared_session, local, zoned):
    moment = f"CONVERT(datetime2(0), '{local}', 126) AT TIME ZONE {CENTRAL}"
    assert text(shared_session, moment) == zoned


@pytest.mark.parametrize(
    ("expression", "zoned"),
    [
        (
            "CAST('2024-07-01 12:00' AS datetime) AT TIME ZONE 'Pacific Standard Time'",
            "2024-07-01 12:00:00.000 -07:00",
        ),
        (
            "CAST('2024-07-01 12:00' AS smalldatetime) AT TIME ZONE 'pacific standard time' "
            f"AT TIME ZONE {CENTRAL}",
            "2024-07-01 21:00:00 +02:00",
        ),
        (
            "CAST('2024-01-01 12:00:00.1234567 +02:00' AS datetimeoffset) AT TIME ZONE 'UTC'",
            "2024-01-01 10:00:00.1234567 +00:00",
        ),
        (
            "CAST('2024-01-01 12:00 +02:00' AS datetimeoffset(1)) "
            "AT TIME ZONE 'Nepal Standard Time'",
            "2024-01-01 15:45:00.0 +05:45",
        ),
        (
            "CAST('2007-01-01' AS datetime2(0)) AT TIME ZONE 'Tokyo Standard Time'",
            "2007-01-01 00:00:00 +09:00",
        ),
        (
            "CAST('0001-01-01' AS datetime2(0)) AT TIME ZONE 'UTC'",
            "0001-01-01 00:00:00 +00:00",
        ),
    ],
)
def test_a_moment_takes_the_offset_and_keeps_its_scale(shared_session, expression, zoned):
    assert text(shared_session, expression) == zoned


def test_the_zone_may_be_a_variable_or_a_column(shared_session):
    batch = (
        "DECLARE @z nvarchar(128) = N'India Standard Time'; "
        "SELECT CAST('2024-07-01' AS datetime2(0)) AT TIME ZONE @z AS a, "
        "d AT TIME ZONE z AS b FROM (SELECT CAST('2024-07-01' AS datetime) AS d, 'UTC' AS z) AS q"
    )
    (row,) = shared_session.run(batch)[-1].rows
    assert [moment.utcoffset() for moment in row] == [
        datetime.timedelta(hours=5, minutes=30),
        datetime.timedelta(0),
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "CAST(NULL AS datetime) AT TIME ZONE 'UTC'",
        "NULL AT TIME ZONE 'UTC'",
        "GETDATE() AT TIME ZONE NULL",
        "GETDATE() AT TIME ZONE CAST(NULL AS varchar(9))",
    ],
)
def test_null_has_no_zone(shared_session, expression):
    assert value(shared_session, expression) is None


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("GETDATE() AT TIME ZONE 'Europe/Berlin'", 9820),
        ("GETDATE() AT TIME ZONE 'UTC '", 9820),
        ("GETDATE() AT TIME ZONE ''", 9820),
        ("GETDATE() AT TIME ZONE 5", 8116),
        ("CAST('2024-01-01' AS date) AT TIME ZONE 'UTC'", 8116),
        ("CAST('12:00' AS time) AT TIME ZONE 'UTC'", 8116),
        ("'2024-01-01' AT TIME ZONE 'UTC'", 8116),
        ("CAST('9999-12-31 23:00' AS datetime2) AT TIME ZONE 'Pacific Standard Time'", 9813),
        (f"CAST('9999-12-31 23:30 +00:00' AS datetimeoffset) AT TIME ZONE {CENTRAL}", 9813),
        (f"CAST('2006-12-31 23:00' AS datetime2) AT TIME ZONE {CENTRAL}", 103010),
    ],
)
def test_what_has_no_zone_is_an_error(shared_session, error_of, expression, number):
    assert error_of(shared_session, f"SELECT {expression}").number == number


def test_the_view_of_zones_has_every_zone_that_can_be_named(shared_session):
    query = (
        "SELECT name, current_utc_offset, is_currently_dst, "
        "CONVERT(varchar(40), SYSUTCDATETIME() AT TIME ZONE 'UTC' AT TIME ZONE name) "
        "FROM sys.time_zone_info"
    )
    found = shared_session.run(query)[-1]
    zones = {name: (offset, dst) for name, offset, dst, _ in found.rows}
    assert zones["UTC"] == ("+00:00", False)
    assert zones["India Standard Time"] == ("+05:30", False)
    assert "Europe/Berlin" not in zones
    assert all(moment.endswith(offset) for _, offset, _, moment in found.rows)
    assert len(zones) == len(found.rows) > 130
