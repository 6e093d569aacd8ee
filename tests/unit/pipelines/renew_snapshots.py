"""Renews what the commands say: `python -m pytest tests/unit/pipelines/renew_snapshots.py`.

Read what has changed before you keep it.
"""

import pytest

from tests.terminal import TERMINALS
from tests.unit.pipelines.test_every_command import SNAPSHOTS, said


@pytest.mark.parametrize("terminal", TERMINALS)
def test_renew(terminal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SNAPSHOTS.mkdir(exist_ok=True)
    (SNAPSHOTS / f"empty-{terminal}.txt").write_text(said(terminal, tmp_path), "utf-8")
