"""`bikecast profile` of files and of tables."""

import json

import pyarrow as pa
from deltalake import write_deltalake

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_training_csv


def test_a_file_is_read_as_it_is_written_and_may_have_gaps_and_repeated_keys(bikecast, tmp_path):
    write_training_csv(tmp_path / "days.csv", years=1)
    header, first, *rows = (tmp_path / "days.csv").read_text().splitlines()
    place = header.split(",").index("temp")
    cells = first.split(",")
    cells[place] = ""
    text = "\n".join([header, ",".join(cells), first, *rows]).replace(",", ";").replace(".", ",")
    (tmp_path / "days.csv").write_text(text)

    code, out, said = bikecast("profile", tmp_path / "days.csv", "--json")
    assert code == 0
    profile = json.loads(out)
    by_name = {column["name"]: column for column in profile["columns"]}
    assert (profile["name"], profile["rows"]) == ("days.csv", 366)
    assert by_name["temp"]["missing"] == 1
    assert by_name["temp"]["with_target"] > 0.5
    assert "days.csv is read as: delimited by semicolon; with a decimal comma" in said


def test_a_table_of_the_lake_is_shown_with_its_drift_and_written_as_a_page(bikecast, tmp_path):
    table = tmp_path / "home" / "lake" / "tables" / "bike_data"
    table.mkdir(parents=True)
    for start in (0, 1000):
        rows = pa.table({"rentals": [*range(start, start + 50)], "season": [1, 2] * 25})
        write_deltalake(table, rows, mode="overwrite")

    code, out, said = bikecast("profile", "bike_data", "--html", tmp_path / "p.html")
    assert code == 0
    assert "bike_data: 50 rows, 2 columns" in out
    assert "against the version before: rentals" in out
    assert "NULL" not in out
    assert "Wrote" in said
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")


def test_what_is_neither_a_file_nor_a_table_is_told(bikecast):
    code, _, said = bikecast("profile", "bike_date")

    assert code == 2
    assert "bike_date does not exist" in said


def test_a_file_of_other_columns_names_those_of_the_model(bikecast, tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    code, _, said = bikecast("profile", tmp_path / "other.csv")

    assert code == 2
    assert f"none of the columns of {BIKE_RENTALS.name}: season" in said


def test_options_for_files_are_refused_for_a_table(bikecast, tmp_path):
    table = tmp_path / "home" / "lake" / "tables" / "bike_data"
    table.mkdir(parents=True)
    write_deltalake(table, pa.table({"rentals": [1]}))
    code, _, said = bikecast("profile", "bike_data", "--decimal", "comma")

    assert code == 2
    assert "the options are for files" in said
