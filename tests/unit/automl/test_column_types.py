"""Columns of texts become numbers, dates, yes or no: never silent categories, and all is said."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bikecast.core.errors import InvalidInput
from bikecast.embedded.automl.column_types import (
    ColumnType,
    decimal_mark,
    infer,
    parse_type,
    read,
)
from bikecast.embedded.automl.dates import date_parts


def inferred(texts):
    """Type, column as read, and notes."""
    notes: list[str] = []
    array = pa.array(texts, pa.string())
    how = infer(array, "c", notes)
    return how, read(array, how), notes


def values_of(texts):
    return inferred(texts)[1].values.to_pylist()


def local_of(texts):
    return [str(moment) for moment in inferred(texts)[1].times.local]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1.5", ".5", "2e3", "4."], [1.5, 0.5, 2000, 4]),
        (["16,8", "-2,25", "7"], [16.8, -2.25, 7]),
        (["1,234.5", "12", "1,000,000"], [1234.5, 12, 1e6]),
        (["1.234,5", "12,25", "1.000.000"], [1234.5, 12.25, 1e6]),
        (["1 234,5", "12,5"], [1234.5, 12.5]),
        (["1'234.5", "2.5"], [1234.5, 2.5]),
        (["12%", "7.5 %"], [12, 7.5]),
        (["$1,200", "$35.50"], [1200, 35.5]),
        (["3 €", "4,50 €"], [3, 4.5]),
        (["\u22123", "4"], [-3, 4]),
        (["99999999999999999999", "1"], [1e20, 1]),
        (["1", None, "3", ""], [1, None, 3, None]),
    ],
)
def test_numbers_are_read_as_they_are_written(texts, numbers):
    how, column, _ = inferred(texts)
    assert how.kind == "number"
    assert column.values.to_pylist() == pytest.approx(numbers)
    assert column.unread == 0


@given(st.lists(st.floats(-1e9, 1e9).map(lambda number: round(number, 3)), min_size=1), st.data())
def test_a_number_in_any_notation_is_that_number(numbers, data):
    decimal, thousands = data.draw(st.sampled_from([(".", ""), (".", ","), (",", "."), (",", " ")]))
    swapped = {",": thousands, ".": decimal}
    texts = ["".join(swapped.get(letter, letter) for letter in f"{n:,.3f}") for n in numbers]
    # Without a mark between thousands, 1,234 in every row may be either.
    assume(thousands == "" or any(abs(n) >= 1000 for n in numbers))
    assert values_of(texts) == pytest.approx(numbers)


def test_a_zero_begins_no_thousands():
    """0,344 was read as 344."""
    assert values_of(["0,344", "0,363", "1,196"]) == [0.344, 0.363, 1.196]


@pytest.mark.parametrize(
    ("other", "numbers", "count"),
    [("2,5", [985, 1349, 1562], 0), ("2.5", [985, 1.349, 1.562], 0), ("2", [985, 1.349, 1.562], 1)],
)
def test_another_column_settles_what_a_point_is(other, numbers, count):
    """German thousands were read as fractions, without a word."""
    texts, notes = pa.array(["985", "1.349", "1.562"]), []
    how = infer(texts, "c", notes, decimal_mark([texts, pa.array([other])]))
    assert read(texts, how).values.to_pylist() == numbers
    assert len(notes) == count


def test_a_point_that_may_be_one_between_thousands_is_noted_with_count_row_and_value():
    notes = inferred(["985", None, "1.349", "1.562"])[2]
    assert "2 with '.' as decimal mark, the first is '1.349' in data row 3" in notes[0]
    assert "--type c=number:, reads it as 1349" in notes[0]


def test_a_number_without_the_columns_unit_is_missing_and_counted():
    """0.5 among percents was half a percent."""
    _, column, _ = inferred(["50%"] * 20 + ["0.5"])
    assert (column.unread, column.first) == (1, (21, "0.5"))


@pytest.mark.parametrize("mark", ["-", "n.a.", "unknown", "Missing", "--", "\\N", "#DIV/0!", "(x)"])
def test_one_mark_among_numbers_is_missing_and_counted(mark):
    """One "-" made a column of numbers a category, without a word."""
    texts = [str(number) for number in range(40)]
    texts[7] = mark
    how, column, _ = inferred(texts)
    assert how.kind == "number"
    assert column.values[7].as_py() is None
    assert (column.marks + column.unread, column.values.null_count) == (1, 1)
    assert (column.first_mark or column.first) == (8, mark)


def test_texts_that_are_often_numbers_are_texts_with_a_note():
    texts = ["12", "13", "12a", "14", "13b"] * 4
    how, _, notes = inferred(texts)
    assert how.kind == "text"
    assert (
        "60% of its values are numbers, the first that is none is '12a' in data row 3" in notes[0]
    )


def test_marks_among_texts_are_categories():
    assert values_of(["-", "red", "unknown", "NA"]) == ["-", "red", "unknown", None]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["yes", "No", "YES", None], [1, 0, 1, None]),
        (["TRUE", "FALSE", "True"], [1, 0, 1]),
        (["n", "y"], [0, 1]),
    ],
)
def test_yes_and_no_are_one_and_zero(texts, numbers):
    how, column, _ = inferred(texts)
    assert how.kind == "yes/no"
    assert column.values.to_pylist() == numbers


def days(layout, start="2017-12-01", count=60):
    first = dt.date.fromisoformat(start)
    return [(first + dt.timedelta(number)).strftime(layout) for number in range(count)]


LAYOUTS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y"),
    *("%y/%m/%d", "%d.%m.%y", "%m/%d/%y", "%y-%m-%d", "%d %b %Y", "%d-%b-%y", "%B %d, %Y"),
    "%Y-%m-%d %H:%M:%S",
)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(start=st.dates(dt.date(1970, 1, 1), dt.date(2068, 10, 1)).map(str))
@settings(max_examples=6)
def test_days_in_a_row_are_read_in_any_layout(layout, start):
    how, column, _ = inferred(days(layout, start))
    assert how.kind == "date"
    assert [str(moment)[:10] for moment in column.times.local] == days("%Y-%m-%d", start)


def test_days_and_months_of_one_digit_are_dates():
    assert local_of(["2017-12-1", "2017-12-12"])[0] == "2017-12-01T00:00:00"


def test_two_digit_years_have_a_pivot_that_is_said():
    how, column, _ = inferred(["15.12.99", "31.01.68", "20.06.69"])
    assert [str(moment)[:4] for moment in column.times.local] == ["1999", "2068", "1969"]
    assert "two-digit years: from 69 on 19xx" in str(how)


def test_the_local_clock_is_kept_and_the_order_is_that_of_instants():
    """The day moved to the day before, where an offset was taken off."""
    texts = ["2017-12-01T00:30:00+01:00", "2017-12-01T00:15:00Z", "2017-12-01T00:20:00-0130"]
    times = inferred(texts)[1].times
    assert [str(moment)[:16] for moment in times.local] == [text[:16] for text in texts]
    assert list(np.argsort(times.instant)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("2011-01-01 23:59", "23:59:00"),
        ("2011-01-01T23:59:58.123", "23:59:58"),
        ("1/1/2011 11:05 PM", "23:05:00"),
        ("1/1/2011 12:05 am", "00:05:00"),
    ],
)
def test_a_clock_is_read(text, clock):
    assert local_of([text]) == [f"2011-01-01T{clock}"]


@pytest.mark.parametrize("text", ["2011-02-30", "31.04.2011", "2011-13-01", "1.2.3", "10.0.0.1"])
def test_what_is_no_date_is_none(text):
    assert inferred([text] * 3)[0].kind != "date"


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2099, 1, 1)))
def test_the_parts_of_a_date_are_those_of_the_calendar(moment):
    parts = date_parts(np.array([moment], dtype="datetime64[s]"), clock=True)
    expected = [moment.day, moment.month, moment.year, moment.weekday(), moment.hour, moment.minute]
    assert [int(values[0]) for values in parts.values()] == expected


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=8))
def test_any_texts_have_a_type_that_reads_them_and_survives_json(texts):
    how, column, _ = inferred(texts)
    again = ColumnType.from_json(how.as_json())
    assert again == how
    length = len(column.times.local) if column.times is not None else len(column.values)
    assert length == len(texts)


@pytest.mark.parametrize(
    ("type_", "texts", "values"),
    [
        ("text", ["1", "2"], ["1", "2"]),
        ("number:,", ["1,234", "2,5"], [1.234, 2.5]),
        ("number", ["1", "a", "b"], [1, None, None]),
        ("yes/no", ["y", "n"], [1, 0]),
    ],
)
def test_a_type_that_people_say_overrules(type_, texts, values):
    array = pa.array(texts)
    assert read(array, parse_type("c", type_, array)).values.to_pylist() == values


def test_the_order_of_a_date_can_be_said():
    texts = pa.array(["01/02/2023", "03/04/2023"])
    times = read(texts, parse_type("c", "date:dmy", texts)).times
    assert str(times.local[0])[:10] == "2023-02-01"


@pytest.mark.parametrize("type_", ["colour", "date", "yes/no"])
def test_a_type_that_no_value_has_is_refused(type_):
    with pytest.raises(InvalidInput, match="Nothing was trained"):
        parse_type("c", type_, pa.array(["red", "blue"]))
