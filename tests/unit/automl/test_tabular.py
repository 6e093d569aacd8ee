"""Types are inferred from any table; every treatment is said, every refusal names its place."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.errors import InvalidInput
from bikecast.embedded.automl.data import dataset_from_arrow
from bikecast.embedded.automl.leakage import column_notes
from bikecast.embedded.automl.tabular import tabular_data

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


def test_a_clock_gives_cyclic_hours_and_orders_the_rows():
    """The hour was dropped without a word: R2 -.30 where the same rows with it have .96."""
    start = dt.datetime(2011, 1, 1)
    times = [str(start + dt.timedelta(hours=number)) for number in range(ROWS)]
    made = infer(when=times)
    parts = ("day", "month", "year", "weekday", "hour")
    assert made.spec.feature_names == tuple(f"when_{part}" for part in parts)
    assert made.spec.features[4].codes == tuple(range(24))
    assert made.table["when_hour"].to_pylist()[23:26] == [23, 0, 1]
    labels = dataset_from_arrow(made.spec, made.table).time_labels
    assert labels[:2] == ("2011-01-01T00:00:00", "2011-01-01T01:00:00")


def test_days_with_one_offset_are_days_of_the_local_calendar():
    times = [f"2017-12-{number % 28 + 1:02}T00:30:00+01:00" for number in range(ROWS)]
    made = infer(when=times)
    assert made.table["when_day"].to_pylist()[:2] == [1, 2]
    assert made.table["when"].to_pylist()[0] == "2017-12-01T00:30:00"


def test_a_date_that_is_no_feature_orders_the_rows_all_the_same():
    days = [f"2024-01-{number % 28 + 1:02}" for number in range(ROWS)]
    table = pa.table({"when": days, "x": range(ROWS), "y": TARGET})
    made = tabular_data(table, target="y", features=["x"], name="t.csv")
    assert (made.spec.feature_names, made.spec.time_key) == (("x",), "when")


def test_names_that_differ_in_case_are_told_apart_and_said():
    made = infer(temp=list(range(ROWS)), Temp=[0.5] * ROWS)
    assert made.spec.feature_names == ("temp", "Temp_2")
    assert "column 'Temp' is called Temp_2 in the model" in made.notes


def test_every_column_has_a_line_that_says_what_it_is_read_as():
    texts = ["1,5"] * (ROWS - 1) + ["-"]
    made = infer(n=texts, t=["red", "blue"] * (ROWS // 2), b=["yes", "no"] * (ROWS // 2))
    lines = [(row["column"], row["read as"], row["missing"]) for row in made.inferences]
    assert lines == [
        ("y", "number", 0),
        ("n", "number, decimal comma", 1),
        ("t", "text, 2 values", 0),
        ("b", "yes/no: yes is 1, no is 0", 0),
    ]
    assert f"column 'n': 1 missing, marked like '-' in data row {ROWS}" in made.notes


def test_a_value_that_is_no_number_is_counted_with_row_and_value():
    texts = [str(number) for number in range(ROWS)]
    texts[4] = "12 (est.)"
    notes = " ".join(infer(n=texts).notes)
    assert "one value that is no number, '12 (est.)' in data row 5, taken as missing" in notes


def test_a_type_that_people_say_goes_before_what_is_inferred():
    table = pa.table({"zip": ["1000", "2000"] * (ROWS // 2), "x": range(ROWS), "y": TARGET})
    made = tabular_data(table, target="y", name="t.csv", types={"zip": "text", "x": "ignore"})
    assert [(c.name, c.sql_type) for c in made.spec.features] == [("zip", "varchar")]
    assert "'x' is ignored and is left out" in " ".join(made.notes)


def test_a_target_of_texts_with_a_decimal_comma_is_a_number():
    table = pa.table({"x": range(ROWS), "y": [f"{number},5" for number in range(ROWS)]})
    made = tabular_data(table, target="y", name="t.csv")
    assert made.table["y"].to_pylist()[:2] == [0.5, 1.5]


@pytest.mark.parametrize("said", ["text", "date", "ignore"])
def test_a_target_that_is_said_to_be_no_number_is_refused(said):
    table = pa.table({"x": list(range(ROWS)), "y": [str(value) for value in TARGET]})
    with pytest.raises(InvalidInput, match="only numbers can be predicted"):
        tabular_data(table, target="y", name="t.csv", types={"y": said})


def test_the_type_of_a_target_is_what_the_user_says():
    """It was accepted and ignored."""
    target = ["985", "801", "1.349", "-"] * 10
    table = pa.table({"x": list(range(ROWS)), "y": target})
    made = tabular_data(table, target="y", name="t.csv", types={"y": "number:,"})
    assert made.table["y"].to_pylist()[:3] == [985, 801, 1349]
    assert "10 missing, marked like '-' in data row 4" in made.notes[0]


def test_a_target_that_may_be_other_numbers_is_noted_unless_another_column_settles_it():
    target = ["985", "801", "1.349", "1.562"] * 10
    made = tabular_data(pa.table({"x": range(ROWS), "y": target}), target="y", name="t.csv")
    assert "20 with '.' as decimal mark, the first is '1.349' in data row 3" in made.notes[0]
    table = pa.table({"x": ["2,5", "3"] * 20, "y": target})
    assert tabular_data(table, target="y", name="t.csv").table["y"][2].as_py() == 1349


@pytest.mark.parametrize("name", ["2011-07.csv", "7", "日本.csv", "_.csv", "-", "x" * 300])
def test_a_file_of_any_name_gives_a_model_a_name(name):
    table = pa.table({"a": ["1", "2", "3"] * 10, "b": [str(row) for row in range(30)]})
    assert tabular_data(table, target="b", name=name).spec.name
