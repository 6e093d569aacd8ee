"""bikecast smoke --azure: recorded and redacted, checked, replayed, and stopped where it ends."""

import json
import signal

import pytest
from typer.testing import CliRunner

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState
from pipelines.cli import smoke as command
from pipelines.cli.app import app
from pipelines.cli.smoke import DIFFERS
from pipelines.environments import resources_for
from pipelines.model_files import load_models
from pipelines.settings import load_settings
from pipelines.smoke.calls import call_table
from pipelines.smoke.contract import compared, read_answers
from pipelines.smoke.http import heard_calls
from pipelines.smoke.installation import PLACEHOLDERS, recorder_for
from pipelines.smoke.recording import MANIFEST
from pipelines.smoke.spec import clean_up_sql
from resources.automl.azure_ml import AzureAutoML
from resources.spark.livy import Batches
from resources.sql_pool.synapse_power import SynapseSqlPoolPower
from tests.azure.cloud import faults
from tests.azure.cloud.cloud import Cloud
from tests.azure.cloud.http import answer
from tests.azure.cloud.machine_learning import RUN_SECONDS
from tests.azure.cloud.replay import NOT_REPLAYED, Replay
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.environment import settings_of
from tests.azure.recordings import read_recording
from tests.azure.test_fault_runs import is_paused
from tests.azure.workspace import (
    ACCOUNT,
    automl,
    lake,
    power,
    training_request,
    write_training_table,
)

JOB = "bikecast-smoke-0123456789ab-1"


@pytest.fixture
def smoke(user, old_sdk, tmp_path, monkeypatch):
    """Runs the command; two hundred seconds pass between two looks, unless `pause` says else."""
    monkeypatch.setenv("DAGSTER_HOME", "")

    def run(pause=lambda _: user.clock.advance(200), **changes):
        arguments = {
            "azure": True,
            "yes": True,
            "output": tmp_path / "recordings",
            "ignore_doctor": True,
        }
        monkeypatch.setattr("pipelines.smoke.chain.sleep", pause)
        with pytest.raises(SystemExit) as end:
            command.smoke(**(arguments | changes))
        return end.value.code

    return run


def load_pool():
    return resources_for(load_settings(), load_models()).sql_pool


def recordings(folder):
    return sorted((folder / "recordings").glob("*"))


def started(cloud):
    """What a run would start or write."""
    return [c for c in cloud.log if c.method not in ("GET", "HEAD") and "login." not in c.host]


# What it asks for.


def test_without_azure_it_says_what_it_does():
    result = CliRunner().invoke(app, ["smoke"])

    assert isinstance(result.exception, InvalidInput)
    assert "smallest real run in your Azure account" in str(result.exception)
    assert "Add --azure" in str(result.exception)


def test_it_refuses_the_local_environment(monkeypatch):
    monkeypatch.setenv("BIKECAST_ENV", "local")
    result = CliRunner().invoke(app, ["smoke", "--azure"])

    assert isinstance(result.exception, InvalidInput)
    assert "BIKECAST_ENV is local" in str(result.exception)


def test_it_shows_the_plan_and_asks_before_it_starts(user, smoke, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)

    assert smoke(yes=False) == 1

    told = capsys.readouterr()
    assert "Estimated cost" in told.out
    assert "az ml model archive -n bikecast-smoke" in told.err
    assert "Nothing was started" in told.err
    assert started(user) == []
    assert recordings(tmp_path) == []


def test_it_starts_nothing_while_doctor_finds_failures_and_keeps_what_it_heard(
    user, smoke, tmp_path, capsys
):
    with pytest.raises(BikecastError, match="checks of `bikecast doctor` fail"):
        smoke(ignore_doctor=False)

    assert started(user) == []
    [folder] = recordings(tmp_path)
    assert json.loads((folder / MANIFEST).read_text())["outcome"] == "BikecastError"
    assert "bikecast roles apply" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_beyond_the_cost_limit_is_not_started(user, smoke, tmp_path, monkeypatch):
    monkeypatch.setenv("BIKECAST_COST_LIMIT", "0.5")

    with pytest.raises(BikecastError, match="more than BIKECAST_COST_LIMIT"):
        smoke()
    assert started(user) == []


# Recording and replay.


def observed(folder, settings):
    """What the product reads of a training job, the batches and the pool, by these settings."""
    place = {
        "subscription_id": settings["subscription_id"],
        "resource_group": settings["resource_group"],
    }
    training = AzureAutoML(
        **place, workspace=settings["ml_workspace"], lake=lake(), downloads=str(folder)
    )
    pool = SynapseSqlPoolPower(
        **place, workspace=settings["synapse_workspace"], pool=settings["sql_pool"], lake=lake()
    )
    batches = Batches(settings["synapse_workspace"], settings["spark_pool"])
    status = training.status(JOB)
    result = training.result(JOB)
    [batch] = batches.find("smoke_bike_data-0123456789ab-1")
    return {
        "job": (status.state, status.progress),
        "leaderboard": result.leaderboard,
        "best": result.diagnostics,
        "digest": result.digest,
        "batch": (batches.status(batch).state, batch.id),
        "pool": (pool.status().state, pool.status().progress),
    }


def test_a_replayed_recording_is_read_as_the_original_was(user, proxy, tmp_path):
    write_training_table(tmp_path)
    automl(tmp_path).submit(training_request(JOB))
    user.clock.advance(RUN_SECONDS)
    user.sql_pools.status = "Scaling"
    Batches("bikesynapse", "sparkpool").submit(
        "smoke_bike_data-0123456789ab-1",
        file=lake().url("main.py"),
        modules=lake().url("modules.zip"),
        arguments=[],
        executors=2,
        cores=4,
        memory="28g",
    )
    recorder = recorder_for(load_settings().azure, tmp_path / "recordings")
    names = load_settings().azure.model_dump()

    with heard_calls(recorder.hear):
        original = observed(tmp_path / "one", names)
    exchanges = read_recording(recorder.close({}))
    other = Cloud()
    other.storage.files = user.storage.files
    replay = Replay(exchanges, other.handle)
    proxy.handle = replay.handle
    replayed = observed(tmp_path / "two", PLACEHOLDERS)

    assert replayed == original
    assert original["job"][0] is JobState.COMPLETED
    assert original["pool"][1] == {"status": "Scaling"}
    assert len(replay.replayed) >= 10
    text = "".join(path.read_text() for path in recordings(tmp_path)[0].iterdir())
    secrets = [user.login.secret, user.login.client, user.login.tenant, "eyJ"]
    secrets += [*(str(v) for n, v in names.items() if n.endswith(("_id", "workspace"))), ACCOUNT]
    assert [secret for secret in secrets if secret in text] == []


def test_an_answer_with_another_field_and_one_with_another_status_are_reported(user, tmp_path):
    recorder = recorder_for(load_settings().azure, tmp_path / "recordings")
    renamed = {"name": "pool", "properties": {"powerState": "Online"}}
    user.faults.add("GET", "/sqlPools/", answer(renamed))
    user.faults.add("GET", "/batches", answer({"error": {"code": "Gone"}}, 410))

    with heard_calls(recorder.hear):
        power().status()
        with pytest.raises(Exception, match="Gone"):
            Batches("bikesynapse", "sparkpool").find("x")
    reports = compared(recorder.exchanges, call_table(), read_answers())

    told = {report.kind.address.rpartition("/")[0].rpartition("/")[2]: report for report in reports}
    assert told["sqlPools"].verdict == "differs"
    assert told["sqlPools"].problems == ("lacks properties.status, which is read",)
    assert "also has properties.powerState" in told["sqlPools"].notes
    assert told["{name}"].problems == ("status 410 (Gone), expected 200",)
    assert told["{name}"].sure == "recorded"


def test_a_dropped_connection_is_recorded_and_is_no_difference(user, tmp_path):
    recorder = recorder_for(load_settings().azure, tmp_path / "recordings")
    user.faults.add("GET", "/sqlPools/", faults.DROPPED)

    with heard_calls(recorder.hear):
        power().status()

    pool = [e for e in recorder.exchanges if "/sqlPools/" in e.address]
    assert [(e.status, e.error) for e in pool] == [(0, "ProxyError"), (200, "")]
    reports = compared(recorder.exchanges, call_table(), read_answers())
    assert [report for report in reports if report.problems] == []


# Where it ends early.


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)],
    ids=["Ctrl-C", "closed terminal"],
)
def test_an_interrupt_cancels_the_batch_and_pauses_the_pool_again(
    user, smoke, tmp_path, capsys, number
):
    looks = []

    def interrupt(_):
        looks.append(1)
        if len(looks) == 1:
            signal.raise_signal(number)
        user.clock.advance(SWITCH_SECONDS)

    with pytest.raises(KeyboardInterrupt):
        smoke(pause=interrupt)

    assert [batch.result for batch in user.livy.batches] == ["Cancelled"]
    assert power().leases() == {}
    assert is_paused(user)
    told = capsys.readouterr().err
    assert "Spark batch smoke_bike_data-" in told
    assert "this run resumed it and asked it to pause" in told
    [folder] = recordings(tmp_path)
    assert json.loads((folder / MANIFEST).read_text())["outcome"] == "KeyboardInterrupt"


@pytest.mark.slow
def test_the_limit_cancels_the_training_and_pauses_the_pool_again(user, smoke, tmp_path, capsys):
    passed = []

    def wait(_):
        user.clock.advance(200)
        if user.machine_learning.jobs:
            passed.append(1)
            if len(passed) > 1:
                raise BikecastError("beyond the limit")

    with pytest.raises(BikecastError, match="beyond the limit"):
        smoke(pause=wait)

    [job] = user.machine_learning.jobs.values()
    assert job.status in ("CancelRequested", "Canceled")
    assert f"Training job {job.name} was asked to cancel" in capsys.readouterr().err
    user.clock.advance(SWITCH_SECONDS)
    assert is_paused(user)


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on_with_the_next_attempt(user, smoke, tmp_path):
    looks = []

    def wait(_):
        looks.append(1)
        if len(looks) == 1:
            raise KeyboardInterrupt
        user.clock.advance(200)

    with pytest.raises(KeyboardInterrupt):
        smoke(pause=wait)

    assert smoke(pause=wait) == 0
    assert [batch.state for batch in user.livy.batches] == ["error", "success"]
    assert power().leases() == {}
    assert is_paused(user)


# The whole run.


@pytest.mark.slow
def test_the_smoke_run_is_complete_and_as_the_contract_says(user, smoke, tmp_path, capsys):
    CliRunner().invoke(app, ["roles", "apply", "--yes"], catch_exceptions=False)

    assert smoke(ignore_doctor=False) == 0
    told = capsys.readouterr()
    assert "3 rows are predicted, scored by predict" in told.err
    assert "the model is at outputs/model.onnx of the trial: confirmed" in told.out
    assert is_paused(user)
    [folder] = recordings(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["outcome"] == "completed"
    assert [c for c in manifest["calls"] if c["problems"] or c["notes"]] == []
    jobs = set(user.machine_learning.jobs)

    assert smoke(ignore_doctor=False) == 0
    user.clock.advance(SWITCH_SECONDS)
    power().acquire("test")
    user.clock.advance(SWITCH_SECONDS)
    with load_pool().session() as session:
        session.run(clean_up_sql())
        [left] = session.run("SELECT name FROM sys.objects WHERE name LIKE '%smoke%'")
    assert left.rows == []
    assert set(user.machine_learning.jobs) == jobs
    assert len(user.livy.batches) == 1
    text = "".join(path.read_text() for each in recordings(tmp_path) for path in each.iterdir())
    secrets = [user.login.secret, user.login.client, user.login.tenant, "eyJ", ACCOUNT]
    names = load_settings().azure.model_dump()
    secrets += [str(value) for name, value in names.items() if name.endswith(("_id", "workspace"))]
    assert [secret for secret in secrets if secret in text] == []


@pytest.mark.slow
def test_a_whole_recording_is_replayed(user, proxy, smoke, tmp_path, monkeypatch):
    assert smoke() == 0
    [folder] = recordings(tmp_path)
    exchanges = read_recording(folder)

    other = Cloud()
    replay = Replay(exchanges, other.handle)
    proxy.handle = replay.handle
    (tmp_path / "other").mkdir()
    with settings_of(other, proxy, tmp_path / "other", PLACEHOLDERS) as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        code = smoke(output=tmp_path / "again", pause=lambda _: other.clock.advance(200))

    assert code == 0
    assert {e.kind for e in exchanges if not e.address.startswith(NOT_REPLAYED)} == set(
        replay.replayed
    )


@pytest.mark.slow
def test_a_smoke_run_that_is_done_in_a_cloud_that_answers_otherwise_ends_with_its_own_code(
    user, smoke, capsys
):
    original = user.livy._body
    user.livy._body = lambda *call: {k: v for k, v in original(*call).items() if k != "result"}
    older = user.livy.add({"name": "somebody", "file": "f"})
    older.state = "success"

    assert smoke() == DIFFERS
    told = capsys.readouterr().out
    assert "lacks result, which is read" in told
    assert "lacks sessions[].result, which is read" in told
