"""The rows to score: read once, kept as Parquet, of which only what is asked for is read."""

import datetime as dt
import json

import pyarrow.parquet as pq
import pytest

from assets.by_day import stage_days
from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate_forecast, write_csv
from resources.lake import raw_files
from resources.lake.local import LocalLake
from resources.lake.port import CsvFormat
from resources.lake.scoring_rows import scoring_rows
from resources.sql_pool.daily import Days

PATH = SPEC.scoring_file
MANIFEST = PATH.replace(".csv", ".manifest.json")
STAGED = f"staging/{SPEC.scoring_table}.parquet"


@pytest.fixture
def lake(tmp_path):
    return LocalLake(root=str(tmp_path / "lake"))


@pytest.fixture
def put(lake, tmp_path):
    """Stores rows to score as a run does, the first ones `without_day`, and returns them."""

    def run(rows, without_day=0):
        path = tmp_path / "in.csv"
        write_csv(rows, path)
        lines = path.read_text().splitlines()
        for number in range(1, without_day + 1):
            lines[number] = lines[number][lines[number].index(",") :]
        path.write_text("\n".join(lines))
        content = raw_files.reader("scoring")(path, SPEC, source_name=path.name)
        raw_files.store(lake, PATH, path, content, SPEC, CsvFormat())
        return content.table

    return run


@pytest.fixture
def unread(monkeypatch):
    """Fails where a CSV is read again."""

    def refuse(purpose):
        raise AssertionError(f"a {purpose} CSV is read")

    monkeypatch.setattr(raw_files, "reader", refuse)


def test_a_stored_file_is_not_read_again(lake, put, request):
    rows = put(simulate_forecast())
    request.getfixturevalue("unread")
    staged = scoring_rows(lake, SPEC)
    assert staged.file == lake.stat(STAGED)
    assert staged.dataset.to_table().drop_columns(["forecast_row"]).equals(rows)
    assert staged.absent == ()


@pytest.mark.parametrize("state", ["without a copy", "of another copy", "lost", "damaged"])
def test_a_home_of_the_version_before_or_a_lost_copy_is_made_good(lake, put, state):
    rows = put(simulate_forecast())
    manifest = json.loads(lake.local_path(MANIFEST).read_text())
    if state == "without a copy":
        manifest["canonical"] = None
    elif state == "of another copy":
        manifest["canonical"] |= {"path": PATH, "digest": manifest["digest"]}
    elif state == "lost":
        lake.local_path(STAGED).unlink()
    else:
        lake.local_path(STAGED).write_bytes(b"PAR1")
    lake.local_path(MANIFEST).write_text(json.dumps(manifest))
    staged = scoring_rows(lake, SPEC)
    assert staged.dataset.to_table().drop_columns(["forecast_row"]).equals(rows)
    assert lake.stat(STAGED) == staged.file


def test_a_file_that_was_put_there_by_hand_is_read_and_checked(lake, put, tmp_path):
    put(simulate_forecast())
    write_csv(simulate_forecast().slice(0, 3), tmp_path / "by hand.csv")
    lake.put(PATH, tmp_path / "by hand.csv")
    assert scoring_rows(lake, SPEC).dataset.count_rows() == 3
    lake.local_path(PATH).write_text("no,such\n1,2\n")
    with pytest.raises(InvalidInput, match="missing column"):
        scoring_rows(lake, SPEC)
    assert lake.local_path(PATH).read_text() == "no,such\n1,2\n"


def test_only_the_rows_of_the_days_are_staged(lake, put):
    put(simulate_forecast())
    first, last = dt.date(2013, 1, 2), dt.date(2013, 1, 4)
    file = stage_days(lake, SPEC, Days(first, last))
    rows = pq.read_table(lake.local_path(file.path))
    assert rows["dteday"].to_pylist() == [first, dt.date(2013, 1, 3), last]
    assert rows["forecast_row"].to_pylist() == [2, 3, 4]


def test_rows_without_a_day_are_counted_and_refused(lake, put):
    put(simulate_forecast(), without_day=2)
    with pytest.raises(InvalidInput, match="2 rows without a dteday"):
        stage_days(lake, SPEC, Days(dt.date(2013, 1, 1), dt.date(2013, 1, 9)))
    assert lake.stat(f"staging/{SPEC.scoring_table}_by_day.parquet") is None
