"""The functions in Python behind the compiled SQL: errors are values, and nothing is raised."""

import threading

import pytest

from resources.sql_pool.engine.python_functions import _CALLED, _FUNCTIONS
from resources.sql_pool.port import SqlError


@pytest.mark.parametrize("name", _FUNCTIONS)
@pytest.mark.parametrize("value", ["", "[", "\ud800", "9" * 400, None, float("nan"), -1])
def test_a_function_returns_text_whatever_it_is_given(name, value):
    _, arguments = _FUNCTIONS[name]
    found = _CALLED[name](*[value] * len(arguments))
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
