"""`bikecast validate` and `plan` read files as a run does, and store nothing."""

import io
import json
import sys

import pytest

from pipelines.sample.simulator import write_forecast_csv, write_training_csv


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_training_csv(folder / "days.csv", years=1)
    write_forecast_csv(folder / "next.csv")
    return folder


def test_a_file_is_read_and_nothing_is_stored(bikecast, files, tmp_path):
    code, out, _ = bikecast("validate", files / "days.csv", "--forecast", files / "next.csv")
    assert code == 0
    assert f"{files}/days.csv: 365 rows" in out
    assert f"{files}/next.csv: 10 rows" in out
    assert not (tmp_path / "home").exists()


def test_the_answer_is_one_json_object(bikecast, files, tmp_path):
    path = tmp_path / "days.csv"
    text = (files / "days.csv").read_text().replace(",", ";").replace("rentals", "[b]cnt[/b]")
    path.write_text(text)
    code, out, _ = bikecast("validate", path, "--rename", "rentals=[b]cnt[/b]", "--json")
    [file] = json.loads(out)["files"]
    assert (code, file["rows"], file["canonical"]) == (0, 365, False)
    assert "delimited by semicolon; rentals from '[b]cnt[/b]'" in file["findings"][0]


def test_a_refusal_is_json_too(bikecast, files, tmp_path):
    path = tmp_path / "days.csv"
    path.write_text((files / "days.csv").read_text().replace("rentals", "cnt"))
    code, out, _ = bikecast("validate", path, "--json")
    answer = json.loads(out)
    assert (code, answer["valid"]) == (2, False)
    assert "--rename rentals=cnt" in answer["problems"][0]


@pytest.mark.parametrize("command", ["validate", "plan --csv"])
@pytest.mark.parametrize("text", ["", "season,rentals\n", None])
def test_what_a_run_refuses_is_refused(bikecast, files, tmp_path, command, text):
    path = tmp_path / "days.csv"
    header = (files / "days.csv").read_text().partition("\n")[0] + "\n"
    path.write_text(header if text is None else text)
    code, out, said = bikecast(*command.split(), path)
    assert code == 2
    assert "days.csv" in said
    assert "Nothing was stored" in said
    assert "prepare" not in out


def test_standard_input_is_a_file(bikecast, files, monkeypatch):
    class Piped:
        buffer = io.BytesIO((files / "days.csv").read_bytes())

    monkeypatch.setattr(sys, "stdin", Piped)
    code, out, _ = bikecast("validate", "-")
    assert code == 0
    assert "standard input: 365 rows" in out


def test_names_are_printed_as_they_are(bikecast, files, tmp_path):
    path = tmp_path / "days.csv"
    lines = (files / "days.csv").read_text().splitlines()
    lines = [f"{lines[0]},[bold]x[/bold],:smile:", *(f"{line},1,2" for line in lines[1:])]
    path.write_text("\n".join(lines))
    _, out, _ = bikecast("validate", path)
    assert "'[bold]x[/bold]'" in out
    assert "':smile:'" in out
