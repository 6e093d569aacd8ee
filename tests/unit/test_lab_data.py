import shutil
from pathlib import Path

import pytest

from bikecast.core.errors import BikecastError
from pipelines.cli import data
from pipelines.sample import lab_data
from pipelines.sample.lab_data import (
    DEFAULT_URL,
    FORECAST_FILE,
    LAB_FILES,
    TRAINING_FILE,
    fetch_lab_data,
)
from tests.file_server import Reply, file_server

LAB = Path(__file__).parents[2] / ".." / "shared" / "data"


@pytest.fixture
def lab_server(monkeypatch):
    """A server with the lab's own files."""
    if not LAB.is_dir():
        pytest.skip("the lab's files are not beside this checkout")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server() as server:
        for name in LAB_FILES:
            server.replies[f"/files/{name}"] = Reply((LAB / name).read_bytes())
        yield server


def test_both_files_are_downloaded_and_checked(lab_server, tmp_path):
    training, forecast = fetch_lab_data(tmp_path / "lab", f"{lab_server.url}/files/")
    assert training.read_bytes() == (LAB / TRAINING_FILE).read_bytes()
    assert forecast.read_bytes() == (LAB / FORECAST_FILE).read_bytes()


def test_files_that_are_there_are_not_downloaded_again(lab_server, tmp_path):
    fetch_lab_data(tmp_path, f"{lab_server.url}/files")
    (tmp_path / FORECAST_FILE).write_text("damaged")
    lab_server.requests.clear()
    fetch_lab_data(tmp_path, f"{lab_server.url}/files")
    assert [path for path, _ in lab_server.requests] == [f"/files/{FORECAST_FILE}"]


def test_another_content_is_refused_and_leaves_the_old_file(lab_server, tmp_path):
    (tmp_path / TRAINING_FILE).write_text("mine")
    lab_server.replies[f"/files/{TRAINING_FILE}"].body += b"x"
    with pytest.raises(BikecastError, match=r"is not the known file: its sha256 is .*unchanged"):
        fetch_lab_data(tmp_path, f"{lab_server.url}/files")
    assert (tmp_path / TRAINING_FILE).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [TRAINING_FILE]


def test_a_refused_file_that_was_not_there_is_not_called_unchanged(lab_server, tmp_path):
    lab_server.replies[f"/files/{TRAINING_FILE}"].body += b"x"
    with pytest.raises(BikecastError, match=rf"{TRAINING_FILE} was not written"):
        fetch_lab_data(tmp_path, f"{lab_server.url}/files")


def test_the_command_says_which_files_it_wrote_and_which_were_there(lab_server, tmp_path, capsys):
    shutil.copy(LAB / FORECAST_FILE, tmp_path)
    data.fetch_lab_data(tmp_path, f"{lab_server.url}/files")
    said = capsys.readouterr().err
    assert f"Wrote {tmp_path / TRAINING_FILE}," in said
    assert f"Kept {tmp_path / FORECAST_FILE}," in said


def test_a_missing_file_is_an_error_with_its_address(lab_server, tmp_path):
    with pytest.raises(BikecastError, match=rf"/none/{TRAINING_FILE} answered 404 .*stored"):
        fetch_lab_data(tmp_path, f"{lab_server.url}/none")


def test_the_default_address_is_microsofts_repository_over_tls():
    assert DEFAULT_URL.startswith("https://raw.githubusercontent.com/MicrosoftLearning/")
    assert lab_data.LAB_FILES.keys() == {TRAINING_FILE, FORECAST_FILE}
