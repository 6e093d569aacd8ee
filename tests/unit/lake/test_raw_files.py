"""The original of a file in the lake, its copy for engines, and the manifest between them."""

import json
from dataclasses import replace

import pytest

from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate, write_csv
from resources.lake.csv_file import read_training_csv
from resources.lake.csv_format import csv_format
from resources.lake.local import LocalLake
from resources.lake.port import CsvFormat
from resources.lake.raw_files import (
    engine_path,
    kept_content,
    kept_file,
    kept_format,
    original_line,
    store,
)

PATH = SPEC.source_file
COPY = PATH.replace(".csv", ".canonical.csv")
PLAIN, TOLD = CsvFormat(), csv_format(rename="rentals=cnt")


@pytest.fixture
def lake(tmp_path):
    return LocalLake(root=str(tmp_path / "lake"))


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.csv"
    write_csv(simulate(years=1).slice(0, 30), path)
    return path


@pytest.fixture
def other(tmp_path, plain):
    """The same rows as another program writes them, with a blank line."""
    path = tmp_path / "other.csv"
    text = plain.read_text().replace("rentals", "cnt").replace(",", ";").replace("\n", "\n\n", 1)
    path.write_text(text, encoding="utf-16")
    return path


def put(lake, path, told=PLAIN):
    content = read_training_csv(path, SPEC, source_name=path.name, told=told)
    store(lake, PATH, path, content, SPEC, told)
    return content.table


def rows_of_engines(lake):
    place = lake.local_path(engine_path(lake, PATH, SPEC, "training"))
    content = read_training_csv(place, SPEC, source_name="engines")
    assert content.is_canonical
    return content.table


@pytest.mark.parametrize("source", ["plain", "other"])
def test_what_was_read_of_a_file_is_kept_with_it(lake, request, source):
    path, told = request.getfixturevalue(source), TOLD if source == "other" else PLAIN
    content = read_training_csv(path, SPEC, source_name=path.name, told=told, kept_rows=5)
    stored = store(lake, PATH, path, content, SPEC, told)
    assert kept_file(lake, PATH) == stored
    kept = kept_content(lake, PATH, SPEC)
    assert kept.table.equals(content.table)
    assert (kept.rows, kept.findings, kept.absent) == (30, content.findings, ())
    assert kept.is_canonical is content.is_canonical
    assert kept_content(lake, PATH, replace(SPEC, features=SPEC.features[1:])) is None


@pytest.mark.parametrize("change", ["another file", "a home of the version before", "not checked"])
def test_what_was_read_of_a_file_holds_for_that_file_and_for_what_was_checked(lake, plain, change):
    content = read_training_csv(plain, SPEC, source_name=plain.name)
    store(lake, PATH, plain, content, SPEC, PLAIN, is_checked=change != "not checked")
    manifest = lake.local_path(PATH.replace(".csv", ".manifest.json"))
    if change == "another file":
        lake.local_path(PATH).write_text(plain.read_text().replace(",0.", ",0.1"))
    elif change == "a home of the version before":
        written = json.loads(manifest.read_text())
        del written["content"]
        manifest.write_text(json.dumps(written))
    assert kept_file(lake, PATH) is None
    assert kept_content(lake, PATH, SPEC) is None


def test_a_plain_file_is_what_engines_read_and_is_not_copied(lake, plain):
    put(lake, plain)
    assert engine_path(lake, PATH, SPEC, "training") == PATH
    assert lake.stat(COPY) is None


def test_the_original_is_kept_as_it_came_and_engines_read_a_copy(lake, plain, other):
    table = put(lake, other, TOLD)
    assert lake.local_path(PATH).read_bytes() == other.read_bytes()
    assert engine_path(lake, PATH, SPEC, "training") == COPY
    assert rows_of_engines(lake).equals(table)
    assert kept_format(lake, PATH) == TOLD
    put(lake, plain)
    assert engine_path(lake, PATH, SPEC, "training") == PATH
    assert kept_format(lake, PATH) == CsvFormat()


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("x")])
def test_a_copy_that_is_lost_or_damaged_is_made_again(lake, other, damage):
    table = put(lake, other, TOLD)
    damage(lake.local_path(COPY))
    assert rows_of_engines(lake).equals(table)


def test_a_file_of_the_version_before_or_put_there_by_hand_speaks_for_itself(lake, plain):
    path = lake.local_path(PATH)
    path.parent.mkdir(parents=True)
    path.write_bytes(plain.read_bytes())
    table = rows_of_engines(lake)
    path.write_text(plain.read_text().replace(",", "\t"))
    assert rows_of_engines(lake).equals(table)


def test_the_copy_is_made_again_when_the_model_has_other_columns(lake, other):
    put(lake, other, TOLD)
    fewer = replace(SPEC, features=SPEC.features[1:])
    place = lake.local_path(engine_path(lake, PATH, fewer, "training"))
    assert SPEC.features[0].name not in place.read_text().splitlines()[0].split(",")
    place = lake.local_path(engine_path(lake, PATH, SPEC, "training"))
    assert SPEC.features[0].name in place.read_text().splitlines()[0].split(",")


def test_a_manifest_of_the_version_before_is_read_and_completed(lake, other):
    table = put(lake, other, TOLD)
    place = lake.local_path(PATH.replace(".csv", ".manifest.json"))
    manifest = json.loads(place.read_text())
    model = manifest.pop("model")
    place.write_text(json.dumps(manifest))
    assert rows_of_engines(lake).equals(table)
    assert json.loads(place.read_text())["model"] == model


def test_a_line_of_the_original_is_cited(lake, other):
    put(lake, other, TOLD)
    text = other.read_text(encoding="utf-16").splitlines()
    assert original_line(lake, PATH, SPEC, "training", 1) == (3, text[2])
    assert original_line(lake, PATH, SPEC, "training", 30) == (32, text[31])
    assert original_line(lake, PATH, SPEC, "training", 31) is None


def test_a_file_that_changed_after_it_was_checked_is_not_stored(lake, plain):
    content = read_training_csv(plain, SPEC, source_name="plain")
    plain.write_text(plain.read_text() + "\n")
    with pytest.raises(InvalidInput, match="changed after it was checked"):
        store(lake, PATH, plain, content, SPEC, CsvFormat())
    assert lake.stat(PATH) is None
