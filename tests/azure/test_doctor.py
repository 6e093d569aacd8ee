"""bikecast doctor in the azure environment: what it finds, and what it says mends it."""

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.doctor.azure import RUNTIMES, runtime
from pipelines.environments import place_of
from pipelines.settings import load_settings


@pytest.fixture
def doctor(user, old_sdk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, ["doctor", "--json", *arguments], catch_exceptions=False)
        return result.exit_code, {each["name"]: each for each in json.loads(result.stdout)}

    return run


@pytest.mark.calls
def test_a_sound_environment_with_its_roles_passes(doctor, user):
    CliRunner().invoke(app, ["roles", "apply", "--yes"], catch_exceptions=False)
    code, found = doctor()

    failed = {name: each for name, each in found.items() if each["state"] == "failed"}
    assert failed == {}
    assert code == 0
    assert "EnvironmentCredential won: 22222222" in found["credential"]["detail"]
    assert found["Spark runtime"]["detail"].startswith("3.5, no end of support announced")
    assert found["SQL pool"]["detail"] == "pool: Paused"
    assert "az synapse sql pool resume" in found["SQL login"]["remedy"]
    assert found["training compute"]["detail"] == "serverless"
    assert found["Azure ML registry"]["detail"].startswith("0 versions")
    store = found["training data"]["detail"]
    assert store == "workspaceblobstore in mlstorage, with credentials"
    assert user.login.secret not in json.dumps(found)


def test_missing_roles_fail_with_the_command_of_each(doctor):
    code, found = doctor()

    assert code == 1
    missing = found["Synapse workspace: Contributor"]
    assert missing["state"] == "failed"
    assert missing["remedy"].startswith("az role assignment create --assignee-object-id 66666666")


def test_an_online_pool_is_logged_in_to(doctor, user):
    user.sql_pools.status = "Online"
    _, found = doctor()

    assert found["SQL login"]["state"] == "ok"
    assert "No model is live" in found["PREDICT"]["detail"] or "208" in found["PREDICT"]["detail"]


def test_a_wrong_pool_name_and_a_refusal_are_told_apart(doctor, user, monkeypatch):
    monkeypatch.setenv("SYNAPSE_SPARK_POOL", "other")
    user.synapse.refuses = True
    _, found = doctor()

    assert found["Spark pool"]["remedy"].startswith("az synapse spark pool list")
    assert found["this process: Synapse Compute Operator"]["state"] == "warning"
    assert found["data lake"]["state"] == "ok"


@pytest.mark.calls
def test_a_wrong_login_is_reported_by_every_check_that_needs_it(doctor, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another")
    _, found = doctor()

    assert found["credential"]["state"] == "failed"
    assert "AADSTS7000215" in found["credential"]["detail"]
    assert "az login" in found["credential"]["remedy"]


def test_wrong_settings_are_one_finding_and_the_machine_is_checked_all_the_same(
    doctor, user, monkeypatch
):
    monkeypatch.delenv("SYNAPSE_SQL_POOL")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "mine")
    before = len(user.log)
    code, found = doctor()

    assert code == 1
    assert "SYNAPSE_SQL_POOL" in found["settings"]["detail"]
    assert "AZURE_SUBSCRIPTION_ID" in found["settings"]["detail"]
    assert found["Python"]["state"] == "ok"
    assert found["services"]["state"] == "skipped"
    assert len(user.log) == before


@pytest.mark.parametrize(
    ("version", "day", "state"),
    [
        ("3.5", dt.date(2026, 11, 22), "ok"),
        ("3.4", dt.date(2026, 3, 31), "warning"),
        ("3.4", dt.date(2026, 4, 1), "failed"),
        ("2.4", dt.date(2026, 11, 22), "failed"),
        ("9.9", dt.date(2026, 11, 22), "warning"),
    ],
)
def test_a_runtime_fails_after_the_last_day_of_its_support(user, version, day, state):
    found = runtime(version, place_of(load_settings().azure), day)

    assert found.state == state
    assert (state == "ok") == (not found.remedy)
    if version in RUNTIMES and state != "ok":
        assert str(RUNTIMES[version]) in found.detail
