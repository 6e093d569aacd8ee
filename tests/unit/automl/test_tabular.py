"""Types are inferred from any table; every treatment is said, every refusal names its place."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.errors import InvalidInput
from bikecast.embedded.automl.data import dataset_from_arrow
from bikecast.embedded.automl.leakage import column_notes
from bikecast.embedded.automl.tabular import read_csv, tabular_data

ROWS = 40
TARGET = [float(number % 7) for number in range(ROWS)]


def infer(**columns):
    return tabular_data(pa.table({**columns, "y": TARGET}), target="y", name="t.csv")


def test_types_follow_the_values():
    made = infer(
        whole=list(range(ROWS)),
        code=[number % 4 for number in range(ROWS)],
        holey=[None, *range(1, ROWS)],
        real=[0.5] * ROWS,
        text=["a", None] * (ROWS // 2),
        flag=[True, False] * (ROWS // 2),
    )
    assert [(c.name, c.sql_type, c.codes) for c in made.spec.features] == [
        ("whole", "bigint", ()),
        ("code", "bigint", (0, 1, 2, 3)),
        ("holey", "float", ()),
        ("real", "float", ()),
        ("text", "varchar", ()),
        ("flag", "bigint", (0, 1)),
    ]
    assert dataset_from_arrow(made.spec, made.table).rows == ROWS


def test_a_date_becomes_its_parts_and_orders_the_rows():
    days = [dt.date(2024, 1, 1) + dt.timedelta(number) for number in range(ROWS)]
    made = infer(when=days)
    assert made.spec.feature_names == ("when_day", "when_month", "when_year", "when_weekday")
    assert made.spec.time_key == "when"
    assert dataset_from_arrow(made.spec, made.table).time_labels[0] == "2024-01-01"


def test_dates_as_text_are_read_by_one_format_for_the_whole_column():
    days = [f"{number % 28 + 1}.12.2023" for number in range(ROWS)]
    made = infer(when=days)
    assert made.table["when_day"].to_pylist()[12] == 13
    american = [f"12/{number % 28 + 1}/2023" for number in range(ROWS)]
    assert infer(when=american).table["when_month"].to_pylist()[12] == 12


def test_a_date_that_could_be_read_in_two_ways_is_noted():
    made = infer(when=["1/2/2023", "3/4/2023"] * (ROWS // 2))
    assert "dates are read as month/day/year" in " ".join(made.notes)


def test_an_all_missing_column_is_left_out_and_said():
    made = infer(empty=pa.nulls(ROWS), x=list(range(ROWS)))
    assert made.spec.feature_names == ("x",)
    assert "'empty' has no value in any row and is left out" in made.notes[0]


def test_rows_without_a_target_are_left_out_and_counted():
    table = pa.table({"x": range(ROWS), "y": [None, *TARGET[1:]]})
    made = tabular_data(table, target="y", name="t.csv")
    assert made.table.num_rows == ROWS - 1
    assert "1 rows without a target" in made.notes[0]


def test_a_target_with_text_is_refused_with_its_row():
    table = pa.table({"x": [1, 2, 3], "y": ["1.5", "2", "two"]})
    with pytest.raises(InvalidInput, match=r"target 'y' holds 'two' in data row 3"):
        tabular_data(table, target="y", name="t.csv")


@pytest.mark.parametrize("column", ["x", "y"])
def test_an_infinite_value_is_refused_with_its_row(column):
    values = {"x": [*TARGET], "y": [*TARGET]}
    values[column][1] = float("-inf")
    with pytest.raises(InvalidInput, match=f"column '{column}' is infinite in data row 2"):
        tabular_data(pa.table(values), target="y", name="t.csv")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ([1.0, 2.0], "2 usable rows; training needs at least 20"),
        ([None] * 30 + [1.0] * 19, "19 usable rows"),
        ([], "0 usable rows"),
        ([7] * 30, "'y' is 7 in every row"),
    ],
)
def test_too_few_rows_and_a_constant_target_are_refused(target, said):
    table = pa.table({"x": range(len(target)), "y": pa.array(target, pa.float64())})
    with pytest.raises(InvalidInput, match=said):
        tabular_data(table, target="y", name="t.csv")


def test_an_unknown_column_is_refused_with_those_that_exist():
    with pytest.raises(InvalidInput, match="has no column 'z'; it has x, y"):
        tabular_data(pa.table({"x": [1], "y": [1.0]}), target="z", name="t.csv")


def test_ten_thousand_categories_are_treated_and_said():
    rows = 12_000
    table = pa.table(
        {"city": [f"c{n % 10_000}" for n in range(rows)], "y": [float(n % 9) for n in range(rows)]}
    )
    made = tabular_data(table, target="y", name="t.csv")
    (said,) = column_notes(dataset_from_arrow(made.spec, made.table))
    assert "10,000 categories: the 1,000 most frequent ones" in said


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5, unique=True))
def test_any_header_gives_names_that_sql_allows(names):
    table = pa.table({**{name: range(ROWS) for name in names if name != "y"}, "y": TARGET})
    if table.num_columns == 1:
        return
    made = tabular_data(table, target="y", name="t.csv")
    assert len({*made.spec.feature_names, "y"}) == table.num_columns


def test_a_csv_is_read_with_its_separator_and_missing_marks(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b;y\n1;x;2.5\n?;NA;3\n", encoding="utf-8-sig")
    table = read_csv(path)
    assert table.to_pydict() == {"a": [1, None], "b": ["x", None], "y": [2.5, 3.0]}


def test_a_column_whose_text_comes_late_is_text_from_the_start(tmp_path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{number},1\n" for number in range(200_000))
    path.write_text(f"a,y\n{rows}late,1\n")
    assert read_csv(path)["a"].type == pa.string()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "cannot be read"), (b"\xff\xfe\x00", "cannot be read"), (b"a,a\n1,2\n", "'a' twice")],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        read_csv(path)
