"""What `bikecast sql` prints of a result set."""

import json
from decimal import Decimal

import pytest

from bikecast.core.sql import ResultColumn, ResultSet
from pipelines.cli.sql import ResultPrinter, unique_names


def result(*columns):
    """One row from (name, type, value) triples."""
    return ResultSet(
        tuple(ResultColumn(name, kind) for name, kind, _ in columns),
        [tuple(value for _, _, value in columns)],
    )


@pytest.fixture
def printed(capsys):
    def run(output, *results):
        printer = ResultPrinter(output)
        for one in results:
            printer.print(one)
        return capsys.readouterr().out

    return run


def test_json_numbers_columns_that_have_no_name_of_their_own(printed):
    row = result(("a", "int", 1), ("", "int", 2), ("a", "int", 3), ("A", "int", 4))
    assert json.loads(printed("json", row)) == [{"a": 1, "column2": 2, "a_2": 3, "A": 4}]


@pytest.mark.parametrize("names", [["a", "a", "a_2"], ["", "column1"], ["a_2", "a", "a", "a_3"]])
def test_numbered_names_never_meet_another_column(names):
    assert len(set(unique_names(names))) == len(names)


def test_csv_tells_null_from_the_empty_text(printed):
    row = result(("n", "int", None), ("e", "varchar", ""), ("q", "varchar", 'a "b", c'))
    assert printed("csv", row) == 'n,e,q\n,"","a ""b"", c"\n'


def test_csv_has_an_empty_line_between_two_results(printed):
    one = result(("a", "int", 1))
    assert printed("csv", one, one) == "a\n1\n\na\n1\n"


@pytest.mark.parametrize("output", ["csv", "table"])
def test_a_bit_is_1_or_0_in_text(printed, output):
    text = printed(output, result(("b", "bit", True), ("c", "bit", False)))
    assert "1" in text
    assert "0" in text
    assert "True" not in text


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("float", 1 / 3, "0.3333333333333333"),
        ("float", 123456.789, "123456.789"),
        ("real", 0.10000000149011612, "0.1"),
        ("real", 16777216.0, "16777216.0"),
        ("decimal(9,2)", Decimal("1.50"), "1.50"),
    ],
)
def test_a_number_is_shown_with_all_its_digits(printed, kind, value, shown):
    assert shown in printed("table", result(("x", kind, value))).split()
    assert printed("csv", result(("x", kind, value))) == f"x\n{shown}\n"
