import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.sql import text_literal
from resources.sql_pool.scripts import quote_identifier, split_batches


def test_go_lines_separate_batches():
    assert split_batches("SELECT 1\nGO\nSELECT 2\n  go -- next\nSELECT 3") == [
        "SELECT 1",
        "SELECT 2",
        "SELECT 3",
    ]


def test_empty_batches_are_left_out():
    assert split_batches("GO\n\nGO\nSELECT 1\nGO\n") == ["SELECT 1"]


@pytest.mark.parametrize(
    "script",
    [
        "SELECT '\nGO\n'",
        "/* a\nGO\n*/ SELECT 1",
        "SELECT 1 AS [a\nGO\nb]",
        'SELECT 1 AS "a\nGO\nb"',
    ],
)
def test_go_inside_a_string_a_comment_or_a_name_does_not_separate(script: str):
    assert split_batches(script) == [script]


def test_a_quote_in_a_line_comment_opens_nothing():
    assert split_batches("SELECT 1 -- it's\nGO\nSELECT 2") == ["SELECT 1 -- it's", "SELECT 2"]


def test_a_doubled_quote_stays_inside_its_string():
    assert split_batches("SELECT 'it''s'\nGO\nSELECT 2") == ["SELECT 'it''s'", "SELECT 2"]


@given(st.text(st.characters(exclude_characters="\x00"), min_size=1, max_size=128))
def test_a_quoted_identifier_has_no_way_out(name: str):
    quoted = quote_identifier(name)
    assert quoted[0] == "["
    assert quoted[-1] == "]"
    assert quoted[1:-1].replace("]]", "").count("]") == 0
    assert quoted[1:-1].replace("]]", "]") == name


@pytest.mark.parametrize("name", ["", "a" * 129, "a\x00b"])
def test_names_that_are_no_identifiers_are_refused(name: str):
    with pytest.raises(ValueError, match="not an SQL identifier"):
        quote_identifier(name)


@given(st.text())
def test_a_quoted_text_has_only_doubled_quotes_inside(value: str):
    quoted = text_literal(value)
    assert quoted[1:-1].replace("''", "'") == value
    assert "'" not in quoted[1:-1].replace("''", "")
