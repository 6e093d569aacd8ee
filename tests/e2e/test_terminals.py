"""Every command on a home with a model: a terminal, a pipe, an old encoding.

What they say is in `snapshots`, for people to read; `renew_full_snapshots.py` renews it.
"""

import re
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.e2e.conftest import TRIALS, run_json
from tests.terminal import TERMINALS, run_command, without_what_varies

pytestmark = pytest.mark.slow

SNAPSHOTS = Path(__file__).parent / "snapshots"
#: Those that need no network, start no server and leave the home as it is.
COMMANDS = (
    ("run",),
    ("models",),
    ("models", "--json"),
    ("models", "show", "1"),
    ("models", "show", "2"),
    ("models", "compare", "1", "1"),
    ("models", "export", "bike_rentals", "-o", "FOLDER/model.zip"),
    ("explain", "1"),
    ("explain", "2013-01-01", "--json"),
    ("explain", "31"),
    ("status",),
    ("status", "--json"),
    ("plan",),
    ("check",),
    ("profile", "bike_data"),
    ("script",),
    ("sql", "EXEC dbo.predict_rentals"),
    ("sql", "SELECT TOP 2 * FROM dbo.predicted_rentals", "--format", "csv"),
    ("sql", "SELECT version, live, published_at FROM dbo.rental_prediction_model", "--wide"),
    ("sql", "SELECT * FROM dbo.rentals"),
    ("repair", "--dry-run"),
    ("backup", "FOLDER/home.zip"),
)
COLUMNS = 80


def said_of_a_model(terminal: str, folder: Path) -> str:
    """What all commands say on the home in a folder, each after its own line and exit code."""
    parts = []
    for arguments in COMMANDS:
        real = (argument.replace("FOLDER", str(folder)) for argument in arguments)
        code, text = run_command(terminal, folder / "home", *real, trials=TRIALS)
        shown = without_what_varies(text, folder)
        parts.append(f"$ bikecast {' '.join(arguments)}\n{shown}[exit code {code}]\n")
    for file in folder.glob("*.zip"):
        file.unlink()
    return "\n".join(parts)


def words_of(text: str) -> str:
    """The text without numbers and the widths of tables, which are of one training and machine."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+([-+]\d\d:\d\d)?", "0", text)
    text = re.sub(r"[-+]?\b[0-9a-f]*\d[0-9a-f]*(\.\d+)?(e[-+]\d+)?", "0", text)
    text = re.sub(r"\b0 (s|min|h|days?)\b", "0 s", text)
    return re.sub(r"[ \N{BOX DRAWINGS LIGHT HORIZONTAL}-]+", " ", text)


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory):
    """The main job on the simulated sample, whose forecast has days."""
    return run_json(Cli(tmp_path_factory.mktemp("terminals") / "home", TRIALS))


@pytest.mark.parametrize("terminal", TERMINALS)
def test_every_command_says_of_a_model_what_people_have_read(sample_run, terminal):
    text = said_of_a_model(terminal, sample_run.cli.home.parent)
    stored = (SNAPSHOTS / f"full-{terminal}.txt").read_text("utf-8")
    assert words_of(text).splitlines() == words_of(stored).splitlines()
    assert "Traceback" not in text
    assert "[exit code -1]" not in text


@pytest.mark.parametrize("arguments", [("models",), ("status",), ("plan",)], ids=" ".join)
def test_tables_fit_into_80_columns(sample_run, arguments):
    _, text = run_command("80", sample_run.cli.home, *arguments)
    tables = [line for line in text.splitlines() if "\N{BOX DRAWINGS LIGHT HORIZONTAL}" in line]
    assert tables
    assert max(map(len, tables)) <= COLUMNS


def test_the_scores_of_the_live_model_and_the_source_of_its_data_are_in_status(sample_run):
    _, text = run_command("80", sample_run.cli.home, "status")
    assert "trained on               simulated sample (seed 0)" in text
    assert "outer holdout (random 20%)" in text
