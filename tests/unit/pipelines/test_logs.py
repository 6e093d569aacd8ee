import pytest

from pipelines.home import open_home
from pipelines.logs import KEPT_FILES, LOGGER, open_log, redacted
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


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://me:pw@host/a.csv", "https://***@host/a.csv"),
        ("https://host/a.csv?sv=1&sig=abc%3D next", "https://host/a.csv?*** next"),
        ("https://host/a.csv?X-Amz-Signature=abc", "https://host/a.csv?***"),
        ("is it true? yes", "is it true? yes"),
    ],
)
def test_user_names_and_signatures_of_urls_are_blanked(text, kept):
    assert redacted(text) == kept


def test_the_log_rotates_and_old_files_are_removed(log, monkeypatch):
    for handler in LOGGER.handlers:
        handler.maxBytes = 200
    for number in range(100):
        LOGGER.info("line %d", number)
    assert len(list(log.parent.iterdir())) == KEPT_FILES + 1
    assert "line 99" in log.read_text()
