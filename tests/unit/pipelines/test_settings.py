import errno
import os
from pathlib import Path

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from pipelines.home import Home, full_disk_explained, open_home
from pipelines.models import source_folders
from pipelines.settings import PROJECT, Settings, load_settings


def test_the_environment_overrides_the_default(monkeypatch):
    monkeypatch.setenv("BIKECAST_BUDGET", "45")
    assert load_settings().budget == 45


def test_every_wrong_setting_is_named_in_one_message(monkeypatch):
    monkeypatch.setenv("BIKECAST_BUDGET", "soon")
    monkeypatch.setenv("BIKECAST_UI_PORT", "99999")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert "BIKECAST_BUDGET" in str(caught.value)
    assert "BIKECAST_UI_PORT" in str(caught.value)


def test_an_empty_flag_is_refused_and_an_empty_variable_means_unset(monkeypatch):
    monkeypatch.setenv("BIKECAST_CSV", "")
    assert load_settings().csv is None
    with pytest.raises(InvalidInput, match="--forecast is empty"):
        load_settings(forecast="")


def test_opening_a_home_places_dagster_yaml_and_sets_dagster_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "elsewhere")
    monkeypatch.setenv("BIKECAST_HOME", "elsewhere")
    home = open_home(Settings(home=tmp_path / "home"))
    assert (home.dagster / "dagster.yaml").read_text().startswith("# Placed in DAGSTER_HOME")
    assert not list(home.dagster.glob(".dagster.yaml-*"))


def test_naming_a_home_creates_nothing(tmp_path):
    home = Home.of(Settings(home=tmp_path / "home"))
    assert home.tracking_uri == f"sqlite:///{tmp_path}/home/mlflow.db"
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BikecastError, match=r"cannot be written: .*\nNothing was started"):
        open_home(Settings(home=tmp_path / "file" / "home"))


def test_a_home_that_turned_read_only_is_a_clear_error(tmp_path, monkeypatch):
    open_home(Settings(home=tmp_path / "home"))

    def refused(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(BikecastError, match="cannot be written: Read-only file system"):
        open_home(Settings(home=tmp_path / "home"))


@pytest.fixture
def lax_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_home_and_what_is_in_it_are_their_owners(tmp_path, lax_umask):
    """With an open umask everybody on the machine could read the data, and write the models."""
    old = tmp_path / "home"
    old.mkdir(mode=0o777)
    home = open_home(load_settings(home=old))
    (home.lake / "new.csv").write_text("data")
    with replaced_file(home.lake / "put.csv") as temporary:
        temporary.write_text("data")
    modes = {path: path.stat().st_mode & 0o777 for path in [old, *old.rglob("*")]}
    assert {path for path, mode in modes.items() if mode & 0o077} == set()
    assert modes[old] == 0o700


def test_wrong_input_stays_wrong_input_on_a_full_disk(tmp_path):
    with (
        pytest.raises(InvalidInput, match="no such day"),
        full_disk_explained(Home(tmp_path / "x")),
    ):
        raise InvalidInput("no such day")


def test_relative_paths_of_the_environment_count_from_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIKECAST_CSV", "days.csv")
    monkeypatch.setenv("BIKECAST_HOME", "here")
    settings = load_settings()
    assert settings.csv == str(tmp_path / "days.csv")
    assert settings.home == tmp_path / "here"


def test_relative_paths_of_the_env_file_count_from_the_project(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("BIKECAST_HOME=.bikecast\nBIKECAST_FORECAST=a/b.csv\n")
    settings = Settings(_env_file=tmp_path / ".env")
    assert settings.home == PROJECT / ".bikecast"
    assert settings.forecast == str(PROJECT / "a/b.csv")


def test_a_run_may_name_files_of_the_project_the_home_and_beside_the_settings_files(monkeypatch):
    settings = load_settings(home=Path("/home/here"))
    sources = ["/data/2024/rentals.csv", None, "sample", "https://host/a.csv", "-"]
    assert source_folders(settings, sources) == (PROJECT, Path("/home/here"), Path("/data/2024"))
    monkeypatch.setenv("BIKECAST_SOURCE_FOLDERS", f"/only{os.pathsep}here")
    assert source_folders(load_settings(), sources) == (Path("/only"), Path.cwd() / "here")


@pytest.mark.parametrize("source", ["sample", "https://host/a.csv"])
def test_the_sample_and_urls_are_no_paths(source):
    assert load_settings(csv=source).csv == source


def test_a_table_of_the_lake_can_only_be_scored_where_spark_may_score(monkeypatch):
    monkeypatch.setenv("BIKECAST_SCORING_TABLE", "tables/stations")
    with pytest.raises(InvalidInput, match=r"BIKECAST_SCORING_TABLE: .*set BIKECAST_SCORING to"):
        load_settings()
    assert load_settings(scoring="auto").scoring_table == "tables/stations"


def test_a_token_in_the_address_of_spark_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("BIKECAST_SPARK_REMOTE", "sc://host:15002/;token=SECRET")
    with pytest.raises(InvalidInput, match="SPARK_CONNECT_AUTHENTICATE_TOKEN") as caught:
        load_settings()
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", ["csv", "home", "source_folders"])
def test_a_home_folder_of_nobody_is_no_traceback(name):
    with pytest.raises(InvalidInput, match="'~nobody-/a' names the home folder of a user"):
        load_settings(**{name: "~nobody-/a"})
