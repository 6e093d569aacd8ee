"""The functions in Python behind the compiled SQL: errors are values, and nothing is raised."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.values import json_text, patterns
from bikecast.embedded.sql_pool.values.python_functions import _CALLED, _FUNCTIONS


@pytest.mark.parametrize("name", _FUNCTIONS)
@pytest.mark.parametrize("value", ["", "[", "\ud800", "9" * 400, None, float("nan"), -1])
def test_a_function_returns_text_whatever_it_is_given(name, value):
    _, types, _ = _FUNCTIONS[name]
    found = _CALLED[name](*[value] * len(types.split()))
    assert found is None or isinstance(found, str)


def test_functions_work_on_when_the_session_that_made_them_is_closed(pool):
    numbers = []

    def fail():
        with pool.session() as session:
            for _ in range(20):  # sessions of other threads end meanwhile
                try:
                    session.run("SELECT CONVERT(date, '31/12/2024', 101) AS a")
                except SqlError as error:
                    numbers.append(error.number)

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [241] * 80


def test_an_error_of_a_text_function_is_caught_by_try(session):
    assert session.run("SELECT TRY_CONVERT(int, '12x') AS a, TRY_CAST('31/12' AS date) AS b")[
        0
    ].rows == [(None, None)]
    with pytest.raises(SqlError) as caught:
        session.run("SELECT JSON_VALUE('{}', 'strict $.a') AS a")
    assert caught.value.number == 13608


def matches(subject, pattern):
    """LIKE by its definition: % is any text, _ any character."""
    if not pattern:
        return not subject
    if pattern[0] == "%":
        return any(matches(subject[i:], pattern[1:]) for i in range(len(subject) + 1))
    return bool(subject) and pattern[0] in ("_", subject[0]) and matches(subject[1:], pattern[1:])


@given(st.text("ab", max_size=7), st.text("ab%_", max_size=6))
def test_like_and_patindex_follow_their_definition(subject, pattern):
    assert patterns.like(subject, pattern, "") == matches(subject, pattern)
    part = pattern.lstrip("%")
    places = [i + 1 for i in range(len(subject)) if matches(subject[i:], part + "%")]
    assert patterns.pattern_index(f"%{pattern}%", subject) == (places or [0])[0]


def test_a_pattern_of_many_parts_takes_no_time_that_grows_as_their_power():
    text = "a" * 8_000
    assert patterns.pattern_index("%a%a%a%a%a%a%b%", text) == 0
    assert not patterns.like(text, "%a%a%a%a%a%a%b", "")
    assert patterns.like(text + " " * 8_000, "%a", "", exact=False)


def test_json_that_is_nested_too_deeply_is_no_json():
    assert json_text.is_json("[" * 100_000) == 0
