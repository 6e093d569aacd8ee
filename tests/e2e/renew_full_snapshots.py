"""Renews what commands say of a model: `python -m pytest tests/e2e/renew_full_snapshots.py`.

Read what has changed before you keep it.
"""

from tests.cli import Cli
from tests.e2e.conftest import TRIALS, run_json
from tests.e2e.test_terminals import SNAPSHOTS, said_of_a_model
from tests.terminal import TERMINALS


def test_renew(tmp_path):
    run_json(Cli(tmp_path / "home", TRIALS))
    SNAPSHOTS.mkdir(exist_ok=True)
    for terminal in TERMINALS:
        text = said_of_a_model(terminal, tmp_path)
        (SNAPSHOTS / f"full-{terminal}.txt").write_text(text, "utf-8")
