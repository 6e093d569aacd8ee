"""A forecast without days gets them by a start date, and keeps its own lines."""

import pytest

from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import write_forecast_csv
from resources.lake import dialect
from resources.lake.csv_file import read_scoring_csv
from resources.lake.csv_format import csv_format
from resources.lake.local import LocalLake
from resources.lake.many_files import read_many
from resources.lake.port import FetchedFile
from resources.lake.raw_files import kept_format, original_line, store
from resources.lake.scoring_rows import scoring_rows
from tests.second_spec import COFFEE_SALES, write_coffee_files

PATH = SPEC.scoring_file
TOLD = csv_format(start_date="2012-12-22")


@pytest.fixture
def forecast(tmp_path):
    """Ten rows without days, as the lab's forecast has them."""
    path = tmp_path / "next.csv"
    write_forecast_csv(path)
    lines = [line.split(",") for line in path.read_text().splitlines()]
    day = lines[0].index("dteday")
    path.write_text("\n".join(",".join(f for i, f in enumerate(x) if i != day) for x in lines))
    return path


def read(path, told=TOLD, spec=SPEC):
    return read_scoring_csv(path, spec, source_name="next.csv", told=told)


def days_of(table):
    return [str(day) for day in table["dteday"].to_pylist()]


def test_the_first_row_is_of_the_start_date_and_each_next_row_of_the_next_day(forecast):
    content = read(forecast)
    assert days_of(content.table) == [f"2012-12-{day}" for day in range(22, 32)]
    assert content.absent == ()
    assert "row 1 as dteday 2012-12-22, each next row as the next day" in content.findings[0]


def test_days_go_on_from_block_to_block(forecast, monkeypatch):
    lines = forecast.read_text().splitlines()
    forecast.write_text("\n".join([lines[0], *lines[1:] * 40]) + "\n")
    whole = days_of(read(forecast).table)
    small = dialect._utf8_blocks

    def blocks(path, dialect, name, size=1000, **limits):
        return small(path, dialect, name, min(size, 1000), **limits)

    monkeypatch.setattr(dialect, "_utf8_blocks", blocks)
    assert days_of(read(forecast).table) == whole
    assert len(set(whole)) == 400


def test_what_the_lake_keeps_is_the_file_as_it_came_and_engines_read_its_days(tmp_path, forecast):
    lake = LocalLake(root=str(tmp_path / "lake"))
    store(lake, PATH, forecast, read(forecast), SPEC, TOLD)
    assert lake.local_path(PATH).read_bytes() == forecast.read_bytes()
    assert kept_format(lake, PATH) == TOLD
    rows = scoring_rows(lake, SPEC).dataset.to_table()
    assert days_of(rows)[::9] == ["2012-12-22", "2012-12-31"]
    assert original_line(lake, PATH, SPEC, "scoring", 3) == (
        4,
        forecast.read_text().splitlines()[3],
    )


def test_a_file_that_has_days_is_refused(tmp_path):
    write_forecast_csv(tmp_path / "next.csv")
    with pytest.raises(InvalidInput, match=r"has its days in dteday; --start-date is for files"):
        read(tmp_path / "next.csv")


def test_a_model_without_days_is_refused(tmp_path):
    files = write_coffee_files(tmp_path)
    with pytest.raises(InvalidInput, match="have a day as their one key"):
        read(files.scoring, spec=COFFEE_SALES)


def test_days_that_no_calendar_has_are_refused(forecast):
    read(forecast, csv_format(start_date="9999-12-22"))
    with pytest.raises(InvalidInput, match="the days end before the rows do"):
        read(forecast, csv_format(start_date="9999-12-23"))


def test_a_start_date_that_is_no_day_is_refused():
    with pytest.raises(InvalidInput, match=r"'22\.12\.2012' is not a day such as 2013-01-31"):
        csv_format(start_date="22.12.2012")


def test_many_files_have_no_one_start_date(tmp_path, forecast):
    fetched = FetchedFile(tmp_path / "all.csv", "a folder", format=TOLD)
    lake = LocalLake(root=str(tmp_path / "lake"))
    with pytest.raises(InvalidInput, match="--start-date is for one file, and this is many"):
        read_many(fetched, SPEC, "scoring", lake, kept_rows=5)
