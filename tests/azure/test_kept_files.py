"""A CSV that the lake of Azure has, and that was checked when it was stored, is not downloaded."""

from dataclasses import replace

import pytest

from assets.lake import csv_files
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import write_forecast_csv, write_training_csv
from resources.lake.raw_files import digest_of, engine_path, store
from resources.lake.scoring_rows import scoring_rows
from resources.lake.sources import Sources
from tests.azure.workspace import lake

TRAINING, SCORING = csv_files(SPEC)


def downloaded(cloud):
    """Bytes of CSV files that were read from the account."""
    return sum(call.answered for call in cloud.calls("GET", ".csv"))


@pytest.fixture
def stored(cloud, tmp_path):
    """A training file that a run stored; what was read of it."""
    path = tmp_path / "days.csv"
    write_training_csv(path, years=1)
    place = lake()
    with Sources(place, {SPEC.source_file: str(path)}).fetch(SPEC.source_file) as file:
        content = TRAINING.read(file, SPEC, place)
        store(place, SPEC.source_file, path, content, SPEC, file.format)
    return content


def test_neither_its_check_nor_its_preparation_downloads_a_kept_file(cloud, stored):
    place = lake()
    with Sources(place).fetch(SPEC.source_file) as kept:
        again = TRAINING.read(kept, SPEC, place)
        assert digest_of(kept) == place.stat(SPEC.source_file).digest
    assert engine_path(place, SPEC.source_file, SPEC, "training") == SPEC.source_file
    assert downloaded(cloud) == 0
    assert again.table.equals(stored.table)
    assert (again.rows, again.findings, again.absent) == (365, stored.findings, stored.absent)


def test_rows_to_score_are_read_as_parquet_and_only_where_they_are_asked_for(cloud, tmp_path):
    path, place = tmp_path / "days.csv", lake()
    write_forecast_csv(path)
    with Sources(place, {SPEC.scoring_file: str(path)}).fetch(SPEC.scoring_file) as file:
        content = SCORING.read(file, SPEC, place)
        store(place, SPEC.scoring_file, path, content, SPEC, file.format)
    rows = scoring_rows(place, SPEC)
    assert rows.dataset.head(5, columns=["temp"])["temp"].equals(content.table["temp"])
    assert downloaded(cloud) == 0


def test_for_another_model_it_is_read_again(cloud, stored):
    other = replace(SPEC, features=SPEC.features[:5], shown=(), segments=())
    place = lake()
    with Sources(place).fetch(SPEC.source_file) as kept:
        again = csv_files(other)[0].read(kept, other, place)
    assert again.rows == 365
    assert downloaded(cloud) > 10_000


def test_a_file_that_was_put_there_by_hand_is_read(cloud, stored, tmp_path):
    path = tmp_path / "days.csv"
    write_training_csv(path, years=2)
    place = lake()
    place.put(SPEC.source_file, path)
    with Sources(place).fetch(SPEC.source_file) as kept:
        assert TRAINING.read(kept, SPEC, place).rows == 731
    assert downloaded(cloud) > 10_000
