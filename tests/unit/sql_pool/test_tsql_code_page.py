"""Characters and their codes, and numbers and moments that find no room in what they become."""

import pytest


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("ASCII('€')", 128),
        ("ASCII('™')", 153),
        ("ASCII('é')", 233),
        ("ASCII(N'中')", 63),
        ("CHAR(128)", "€"),
        ("CHAR(233)", "é"),
        ("CHAR(256)", None),
        ("CAST(0x41 AS nvarchar(5))", "A"),
        ("UPPER('Straße')", "STRAßE"),
        ("FORMAT(1e0, 'G')", "1"),
        ("FORMAT(1.50, '')", "1.50"),
    ],
)
def test_characters_and_codes_are_those_of_sql_server(shared_session, expression, value):
    assert shared_session.run(f"SELECT {expression} AS x")[0].rows == [(value,)]


@pytest.mark.parametrize(
    ("expression", "number", "message"),
    [
        ("CAST(12.3456789 AS varchar(5))", 8115,
         "Arithmetic overflow error converting numeric to data type varchar."),
        ("CAST(123456 AS nvarchar(3))", 8115,
         "Arithmetic overflow error converting expression to data type nvarchar."),
        ("CAST(1.5e0 AS varchar(2))", 232,
         "Arithmetic overflow error for type varchar, value = 1.500000."),
        ("CAST(CAST(12.5 AS money) AS varchar(2))", 234,
         "There is insufficient result space to convert a money value to varchar."),
        ("TIMEFROMPARTS(24, 0, 0, 0, 0)", 289, "Cannot construct data type time, some of the "
         "arguments have values which are not valid."),
        ("DATETIME2FROMPARTS(2024, 1, 1, 24, 0, 0, 0, 0)", 289, "Cannot construct data type "
         "datetime2, some of the arguments have values which are not valid."),
    ],
)  # fmt: skip
def test_what_finds_no_room_is_an_error(shared_session, error_of, expression, number, message):
    error = error_of(shared_session, f"SELECT {expression} AS x")
    assert (error.number, error.message) == (number, message)
