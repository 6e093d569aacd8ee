"""Every command that looks, on a home with a model: a terminal, a pipe, an old encoding."""

import pytest

from tests.cli import Cli
from tests.e2e.conftest import TRIALS, run_json
from tests.terminal import TERMINALS, run_command

pytestmark = pytest.mark.slow

COMMANDS = (
    ("models",),
    ("models", "--json"),
    ("models", "show", "1"),
    ("models", "show", "1", "--json"),
    ("models", "compare", "1", "1"),
    ("explain", "1"),
    ("explain", "2013-01-01", "--json"),
    ("status",),
    ("status", "--json"),
    ("plan",),
    ("script",),
    ("sql", "EXEC dbo.predict_rentals"),
    ("sql", "SELECT * FROM dbo.predicted_rentals", "--format", "csv"),
    ("sql", "SELECT * FROM dbo.rental_prediction_model", "--wide"),
)
COLUMNS = 80


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory):
    """The main job on the simulated sample, whose forecast has days."""
    return run_json(Cli(tmp_path_factory.mktemp("terminals") / "home", TRIALS))


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_that_looks_at_a_model_says_what_it_sees(sample_run, terminal, arguments):
    code, text = run_command(terminal, sample_run.cli.home, *arguments)
    assert code == 0, text
    assert text.strip()
    assert "Traceback" not in text


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
