"""Writes pipelines/smoke/answers.json: what the fake cloud answers to a smoke run.

python -m pytest tests/azure/renew_answers.py
"""

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.cli.smoke import smoke_command
from pipelines.settings import load_azure_settings
from pipelines.smoke.calls import call_table
from pipelines.smoke.contract import summarized, write_answers
from pipelines.smoke.http import heard_calls
from pipelines.smoke.installation import recorder_for
from pipelines.smoke.recording import read_recording


def test_renew_the_answers(user, old_sdk, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    recorder = recorder_for(load_azure_settings(), tmp_path / "around")
    with heard_calls(recorder.hear):
        for command in ("roles apply --yes", "doctor", "link attach", "link synapse", "doctor"):
            CliRunner().invoke(app, command.split())
        CliRunner().invoke(app, ["link", "detach"])
    for _ in range(2):
        with pytest.raises(SystemExit):
            smoke_command(
                azure=True,
                yes=True,
                output=tmp_path / "recordings",
                minutes=90.0,
                ignore_doctor=True,
                pause=lambda _: user.clock.advance(200),
            )
    exchanges = list(recorder.exchanges)
    for folder in sorted((tmp_path / "recordings").iterdir()):
        exchanges += read_recording(folder)
    known = {row.kind for row in call_table()}
    write_answers(summarized(e for e in exchanges if e.kind in known and e.status))
