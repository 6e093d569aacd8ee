"""What is in a table, column by column."""

import datetime

import dagster as dg
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import write_deltalake

from assets.profile_view import profile_metadata, profile_page, profile_rows, spark_line
from assets.table_profile import profile_of
from bikecast.core.spec import Column, ModelSpec
from resources.lake.local import LocalLake

SPEC = ModelSpec(
    name="bikes",
    features=(
        Column("season", "bigint", codes=(1, 2)),
        Column("temp", "real"),
        Column("note", "varchar"),
    ),
    target=Column("rentals", "bigint"),
    keys=(Column("day", "date"),),
)
START = datetime.date(2024, 1, 1)


def table(shift: float = 0.0, rows: int = 100) -> pa.Table:
    numbers = list(range(rows))
    return pa.table(
        {
            "season": pa.array([1 + n % 2 for n in numbers]),
            "temp": pa.array([None if n == 7 else n + shift for n in numbers], pa.float32()),
            "note": [f"'{n % 60}" for n in numbers],
            "rentals": pa.array([n * n + (n % 2) for n in numbers]),
            "day": pa.array([START + datetime.timedelta(n) for n in numbers]),
        }
    )


def columns(rows=None, **options):
    profile = profile_of(rows or table(), "t", SPEC, **options)
    return {column.name: column for column in profile.columns}


def test_rows_gaps_ranges_and_quartiles_are_those_of_all_rows():
    temp = columns()["temp"]

    assert (temp.type, temp.missing, temp.distinct <= 99) == ("real", 1, True)
    assert (temp.least, temp.greatest) == (0, 99)
    assert temp.median == pytest.approx(50, abs=2)
    assert temp.mean == pytest.approx((sum(range(100)) - 7) / 99)


def test_the_bars_of_a_histogram_count_each_row_once():
    profiles = columns()

    assert profiles["season"].bars == {"1": 50, "2": 50}
    assert len(profiles["temp"].bars) == 20
    assert sum(profiles["temp"].bars.values()) == 99
    assert list(profiles["day"].bars)[-1] == "2024-04-09"
    assert sum(profiles["day"].bars.values()) == 100
    notes = profiles["note"].bars
    assert (len(notes), sum(notes.values())) == (11, 100)
    assert max(count for text, count in notes.items() if text != "(others)") == 2


def test_a_monotone_column_goes_with_the_target_wholly_and_codes_by_their_groups():
    profiles = columns()

    assert profiles["temp"].with_target == pytest.approx(1.0)
    assert profiles["day"].with_target == pytest.approx(1.0)
    assert 0 <= profiles["season"].with_target < 0.1
    assert profiles["rentals"].with_target is None


def test_drift_is_told_against_the_version_before():
    before = ds.dataset(table())

    assert columns(before=before, compared="v")["temp"].psi == 0
    moved = columns(table(shift=500.0), before=before, compared="v")
    assert moved["temp"].drifted
    assert not moved["season"].drifted


@pytest.mark.parametrize("rows", [0, 1])
def test_a_table_without_values_has_a_profile(rows):
    empty = table(rows=rows)
    profile = profile_of(empty, "t", SPEC)

    assert profile.rows == rows
    assert len(profile_rows(profile)) == 5
    assert profile_page(profile)


def test_a_column_of_infinite_numbers_constants_and_odd_types_is_no_error():
    odd = pa.table(
        {
            "temp": pa.array([1.0, float("inf"), float("nan")]),
            "flag": [True, False, None],
            "same": [5, 5, 5],
            "list": [[1], [2], None],
        }
    )
    profiles = columns(odd)

    assert profiles["temp"].mean == 1.0
    assert profiles["flag"].bars == {"false": 1, "true": 1}
    assert profiles["same"].bars == {"5": 3}
    assert (profiles["list"].kind, profiles["list"].missing) == ("other", 1)


def test_the_page_holds_its_plots_and_no_markup_of_the_data():
    page = profile_page(profile_of(table(), "<b>t", SPEC))

    assert "<h1>&lt;b&gt;t: 100 rows, 5 columns</h1>" in page
    assert "data:image/png;base64,iVBOR" in page
    assert "http" not in page


def test_the_training_tables_page_has_its_profile(tmp_path):
    lake = LocalLake(root=str(tmp_path))
    for shift in (0.0, 500.0):
        write_deltalake(tmp_path / "tables" / SPEC.training_table, table(shift), mode="overwrite")
    with dg.DagsterInstance.ephemeral() as instance:
        metadata = profile_metadata(instance, SPEC, lake, "of its rows")
        event = dg.AssetMaterialization(
            SPEC.training_table,
            metadata={"profile": "kept"},
            tags={"dagster/data_version": "of its rows"},
        )
        instance.report_runless_asset_event(event)
        kept = profile_metadata(instance, SPEC, lake, "of its rows")
        renewed = profile_metadata(instance, SPEC, lake, "of other rows")
    assert kept["profile"].value == "kept"
    assert renewed == metadata

    assert "against the version before: temp" in metadata["profile"].value
    assert "| season | bigint | 0 | 2 |" in metadata["profile"].value


def test_a_histogram_in_one_line_shows_the_least_bar_and_leaves_gaps():
    assert spark_line([1, 0, 1000]) == "▁ █"
    assert spark_line([]) == ""
