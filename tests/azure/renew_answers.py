"""Writes pipelines/smoke/answers.json: what the fake cloud answers to a smoke run.

python -m pytest tests/azure/renew_answers.py
"""

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.cli.smoke import smoke
from pipelines.settings import load_settings
from pipelines.smoke.calls import call_table
from pipelines.smoke.http import heard_calls
from pipelines.smoke.installation import recorder_for
from tests.azure.recordings import read_recording, summarized, write_answers


def test_renew_the_answers(user, old_sdk, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setattr("pipelines.smoke.chain.sleep", lambda _: user.clock.advance(200))
    recorder = recorder_for(load_settings().azure, tmp_path / "around")
    with heard_calls(recorder.hear):
        for command in ("roles apply --yes", "doctor", "link attach", "link synapse", "doctor"):
            CliRunner().invoke(app, command.split())
        CliRunner().invoke(app, ["link", "detach"])
    for _ in range(2):
        with pytest.raises(SystemExit):
            smoke(azure=True, yes=True, output=tmp_path / "recordings", ignore_doctor=True)
    exchanges = list(recorder.exchanges)
    for folder in sorted((tmp_path / "recordings").iterdir()):
        exchanges += read_recording(folder)
    known = {row.kind for row in call_table()}
    write_answers(summarized(e for e in exchanges if e.kind in known and e.status))
