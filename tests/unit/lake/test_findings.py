import pyarrow as pa
import pytest

from bikecast.core.spec import Column
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import simulate, simulate_forecast
from resources.lake.csv_file import read_csv
from resources.lake.findings import Outliers, SuspiciousValues
from resources.lake.queries import rows_in_both
from tests.second_spec import COFFEE_SALES


def suspicious_findings(table, spec):
    values = SuspiciousValues(spec)
    values.add(table)
    return values.findings()


def outlier_findings(table, spec):
    values = Outliers(spec, table)
    for start in (0, 30):
        values.add(table.slice(start, 30))
    return values.findings()


@pytest.fixture(scope="module")
def days():
    return simulate(1, seed=3)


def with_value(table, name, row, value):
    values = table[name].to_pylist()
    values[row] = value
    position = table.schema.get_field_index(name)
    return table.set_column(position, name, pa.array(values, table.schema.field(name).type))


def test_suspicious_values_are_named_by_the_keys_of_their_rows(days):
    table = with_value(days.filter(pa.compute.field("hum") > 0), "hum", 4, 0.0)
    assert suspicious_findings(table, BIKE_RENTALS) == (
        f"hum: 1 row has the suspicious value 0 (dteday {table['dteday'][4]}), kept",
    )


def test_suspicious_values_of_a_spec_without_keys_are_named_by_row_number():
    table = pa.table({"seats": pa.array([4, 999, 5, 999, 999, 999], pa.int32())})
    assert suspicious_findings(table, COFFEE_SALES) == (
        "seats: 4 rows have the suspicious value 999 (row 2, row 4, row 5, ...), "
        "replaced by the column's typical value",
    )


def test_ordinary_days_have_no_outlier_and_an_extreme_one_is_found(days):
    calm = days.slice(0, 60)
    assert not [text for text in outlier_findings(calm, BIKE_RENTALS) if "temp" in text]
    wild = with_value(calm, "temp", 7, 1.9)
    assert any(text.startswith("temp: 1 row") for text in outlier_findings(wild, BIKE_RENTALS))


def test_an_outlier_of_a_later_block_is_named_by_its_row_in_the_table():
    seats = [4.0 + row % 3 for row in range(60)]
    seats[40] = 900.0
    table = pa.table({"seats": pa.array(seats, pa.float32())})
    [text] = outlier_findings(table, COFFEE_SALES)
    assert "(row 41)" in text


def test_rows_that_repeat_training_rows_in_all_features_are_counted(days):
    names = BIKE_RENTALS.feature_names
    fresh = simulate_forecast(1, seed=3).select(names)
    assert rows_in_both(fresh, days, names) == 0
    scoring = pa.concat_tables(
        [fresh, days.select(names).slice(5, 3), days.select(names).slice(5, 1)]
    )
    assert rows_in_both(scoring, days, names) == 4


def test_text_features_are_compared_too():
    known = pa.table({"drink": ["espresso", "latte"], "seats": [1, 2]})
    rows = pa.table({"drink": ["espresso", "espresso"], "seats": [1, 2]})
    assert rows_in_both(rows, known, ("drink", "seats")) == 1


DAY = Column("day", "date", date_format="%m/%d/%Y")


@pytest.mark.parametrize(
    ("days", "is_said"),
    [
        (["1/2/2011", "3/12/2011"], True),
        (["1/2/2011", "1/13/2011"], False),
        (["1/2/2011", "1/3/2011"], False),
        (["2011-01-02", "2011-01-03"], False),
        (["1/1/2011", "2/2/2011"], False),
    ],
)
def test_a_file_whose_dates_do_not_show_which_number_is_the_day_is_told_of(tmp_path, days, is_said):
    path = tmp_path / "days.csv"
    path.write_text("day\n" + "\n".join(days) + "\n")
    content = read_csv(path, [DAY], source_name="days.csv")
    assert content.is_canonical
    assert len(content.findings) == is_said
    assert all("--date-format %d/%m/%Y" in finding for finding in content.findings)
