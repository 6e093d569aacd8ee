"""What a batch may cost: bounded before it is parsed, given up when the client is, in memory."""

import pytest

from bikecast.embedded.sql_pool import Limits, Pool, SqlError
from bikecast.embedded.sql_pool.errors import Cancelled, interruptible
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.values import patterns

LONG = 20_000


@pytest.fixture
def untokenized(monkeypatch):
    """Nothing is read word by word: what is too large is known before."""

    def refuse(text):
        raise AssertionError(f"{len(text)} characters were tokenized")

    monkeypatch.setattr(dialect, "tokenize", refuse)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SELECT 1 AS a WHERE 1 IN (" + "1," * 150_000 + "1)", 8623),
        ("SELECT 1;" * 100_000, 8623),
        ("SELECT " + "(" * LONG + "1" + ")" * LONG, 191),
        ("SELECT 1 WHERE " + "1=1 AND " * 70_000 + "1=1", 8623),
        ("= " * 300_000, 8623),
        ("/* " * 300_000 + "'" * 300_001, None),
        ("[ " * 300_000, None),
    ],
    ids=["IN list", "statements", "parentheses", "ANDs", "signs", "comment", "name"],
)
def test_what_is_too_large_is_refused_before_it_is_parsed(text, number, untokenized):
    """10 MB of an IN list took minutes, and 2.4 GiB, also when the client was gone."""
    expected = AssertionError if number is None else SqlError
    with pytest.raises(expected) as caught:
        parse_batch(text)
    assert number is None or caught.value.number == number


def test_the_text_of_a_batch_has_a_limit():
    with pytest.raises(SqlError, match="at most 100 bytes") as caught:
        parse_batch(f"SELECT {'1' * 50}", Limits(max_text_bytes=100))
    assert caught.value.number == 8623


def test_a_long_literal_is_one_word(rows):
    model = "0x" + "ab" * 300_000
    assert rows(f"SELECT DATALENGTH({model}) AS a") == [(300_000,)]
    assert rows(f"SELECT LEN('{'a, ' * 100_000}.') AS a") == [(300_001,)]


def test_a_statement_has_as_many_literals_of_text_as_a_dedicated_pool_takes():
    with pytest.raises(SqlError, match="20,000 literals of text") as caught:
        parse_batch("SELECT 1 AS a WHERE 'a' IN (" + "N'a'," * 20_000 + "N'a')")
    assert caught.value.number == 8632


@pytest.mark.parametrize("words", [5, LONG])
def test_a_cancel_reaches_the_parser(words):
    """It was looked at between statements only."""
    with interruptible(lambda: True), pytest.raises(Cancelled):
        parse_batch(f"SELECT {'- ' * words} {words}")


def test_a_cancel_reaches_the_compiler(pool):
    with pool.engine_session() as session:
        session.run("DECLARE @a int = 1", {})
        batch = "SELECT 1 + 1 AS a"
        parse_batch(batch, pool.limits)  # it is remembered
        session._interpreter.cancelled = True
        with pytest.raises(Cancelled):
            session.run(batch, {})
        session.resume()
        assert session.run(batch, {})[0].rows == [(2,)]


def small(pool, **limits):
    return Pool(pool.path, pool.lake_root, Limits(**limits))


MANY = (
    "SELECT REPLICATE('x', 1000) AS t "
    "FROM STRING_SPLIT(REPLICATE(CAST('a,' AS varchar(max)), 3000), ',')"
)


def test_results_stay_within_the_memory_of_a_session(pool, error_of):
    with small(pool, session_bytes=1 << 20).session() as session:
        error = error_of(session, MANY)
        assert error.number == 701
        assert "1 MiB for the results of a session" in error.message
        assert session.run("SELECT 1 AS a")[0].rows == [(1,)]


def test_a_row_of_one_large_value_counts_by_its_length(pool, error_of):
    text = "SELECT REPLICATE(CAST('x' AS varchar(max)), 2000000) AS a"
    with small(pool, session_bytes=1 << 20).session() as session:
        assert error_of(session, text).number == 701


def test_results_of_all_sessions_stay_within_the_memory_of_the_server(pool, error_of):
    text = "SELECT REPLICATE(CAST('x' AS varchar(max)), 600000) AS a"
    limited = small(pool, server_bytes=1_000_000)
    with limited.session() as first, limited.session() as second:
        first.run(text)
        assert "results of all sessions" in error_of(second, text).message
        first.run("SELECT 1 AS a")  # what the first had is given back
        assert len(second.run(text)[0].rows[0][0]) == 600_000
    with limited.session() as third:
        assert third.run(text)


def test_replicate_of_max_makes_long_texts_up_to_a_limit(rows, error_number):
    assert rows("SELECT LEN(REPLICATE(CAST('ab' AS varchar(max)), 100000)) AS a") == [(200_000,)]
    assert rows("SELECT REPLICATE(CAST('ab' AS varchar(max)), -1) AS a") == [(None,)]
    assert rows("SELECT REPLICATE(CAST('' AS varchar(max)), 2147483647) AS a") == [("",)]
    assert error_number("SELECT LEN(REPLICATE(CAST('x' AS varchar(max)), 2000000000)) AS a") == 701


def test_replicate_stops_where_the_process_has_its_share_of_memory(error_number, monkeypatch):
    """Each value was within its limit, and thousands of them are made at once."""
    monkeypatch.setattr(patterns, "_DEFAULTS", Limits(process_bytes=1))
    assert error_number("SELECT REPLICATE(CAST('x' AS varchar(max)), 10000) AS a") == 701


def test_a_variable_that_doubles_itself_ends_in_an_error(pool, error_of):
    with small(pool, session_bytes=1 << 22).session() as session:
        batch = "DECLARE @s nvarchar(max) = 'x'; WHILE 1 = 1 SET @s = @s + @s"
        assert error_of(session, batch).number == 701
