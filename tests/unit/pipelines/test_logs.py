import pytest

from pipelines.home import open_home
from pipelines.logs import KEPT_FILES, LOGGER, open_log
from pipelines.settings import Settings


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("BIKECAST_HOME", "")
    home = open_home(Settings(home=tmp_path / "home"))
    open_log(home)
    yield home.logs / "bikecast.log"
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()


def test_a_secret_of_the_environment_never_reaches_the_log(log, monkeypatch):
    monkeypatch.setenv("BIKECAST_SQL_PASSWORD", "correct horse")
    LOGGER.info("login with %s", "correct horse")
    assert log.read_text().endswith("login with ***\n")


def test_the_log_rotates_and_old_files_are_removed(log, monkeypatch):
    for handler in LOGGER.handlers:
        handler.maxBytes = 200
    for number in range(100):
        LOGGER.info("line %d", number)
    assert len(list(log.parent.iterdir())) == KEPT_FILES + 1
    assert "line 99" in log.read_text()
