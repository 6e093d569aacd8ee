"""Hours of many stations in files of a month."""

import csv

import pyarrow.csv as pa_csv
import pytest

from bikecast.core.errors import InvalidInput
from pipelines.sample import hourly
from pipelines.sample.hourly import write_hours
from pipelines.sample.simulator import simulate_year


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """A year of three stations: the folder, and the rows of each file."""
    folder = tmp_path_factory.mktemp("sample") / "hours"
    return folder, dict(write_hours(folder, stations=3, years=1))


def test_each_month_is_a_file_and_the_days_after_are_beside_the_folder(year):
    folder, rows = year
    months = [folder / f"2011-{month:02}.csv" for month in range(1, 13)]
    assert sorted(folder.iterdir()) == months
    assert sum(rows[path] for path in months) == 365 * 24 * 3
    forecast = folder.with_name("hours-forecast.csv")
    assert rows[forecast] == 10 * 24 * 3
    with forecast.open() as file:
        first = next(csv.DictReader(file))
    assert (first["dteday"], first["hr"], first["station"]) == ("2012-01-01", "0", "1")
    assert "rentals" not in first


def test_every_hour_of_every_station_is_there_once_and_follows_its_day(year):
    folder, _ = year
    rows = pa_csv.read_csv(folder / "2011-07.csv").to_pandas()
    assert not rows.duplicated(["dteday", "hr", "station"]).any()
    assert len(rows) == 31 * 24 * 3
    assert rows.groupby(["dteday", "hr"])["station"].nunique().eq(3).all()
    busy = rows[rows["workingday"] == 1].groupby("hr")["rentals"].mean()
    assert busy.idxmax() in (17, 18)
    assert busy[3] < busy[12] < busy[8]
    days = simulate_year(2011, 0).to_pandas()
    days["dteday"] = days["dteday"].astype(str)
    both = rows.groupby(rows["dteday"].astype(str))["rentals"].sum().to_frame()
    joined = both.join(days.set_index("dteday")["rentals"], rsuffix="_day")
    assert joined.corr().iloc[0, 1] > 0.9


def test_the_same_seed_gives_the_same_files_and_another_others(year, tmp_path):
    folder, _ = year
    list(write_hours(tmp_path / "again", stations=3, years=1))
    list(write_hours(tmp_path / "other", stations=3, years=1, seed=1))
    first = (folder / "2011-03.csv").read_bytes()
    assert (tmp_path / "again" / "2011-03.csv").read_bytes() == first
    assert (tmp_path / "other" / "2011-03.csv").read_bytes() != first


def test_the_rows_of_a_block_do_not_change_the_draws(monkeypatch):
    days = simulate_year(2011, 0).slice(0, 2)
    [*whole] = hourly._hours(days, 7, 0)
    monkeypatch.setattr(hourly, "_BLOCK", 14)
    parts = [row for block in hourly._hours(days, 7, 0) for row in block.to_pylist()]
    assert parts == [row for block in whole for row in block.to_pylist()]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "mine.csv").write_text("a\n1\n")
    with pytest.raises(InvalidInput, match=r"other files, such as mine\.csv"):
        next(write_hours(tmp_path, stations=1, years=1))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


@pytest.mark.parametrize("stations", [0, hourly.MAX_STATIONS + 1])
def test_stations_out_of_range_are_refused(tmp_path, stations):
    with pytest.raises(InvalidInput, match="stations must be 1 to"):
        next(write_hours(tmp_path / "hours", stations=stations))
