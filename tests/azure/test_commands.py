"""The commands in the azure environment: they lease the pool, or do without it."""

import json

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines import settings
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.inspect import status
from pipelines.cli.models import models, rescore, rollback
from pipelines.cli.run import run
from pipelines.cli.sql import sql
from pipelines.sample.simulator import write_forecast_csv
from tests.azure.cloud import faults
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.test_fault_runs import is_paused
from tests.azure.workspace import lake, power, registry


@pytest.fixture
def quick(user, monkeypatch):
    """The user's cloud, whose pool is online a moment after it was resumed."""
    monkeypatch.setattr("pipelines.cli.online.POLL_SECONDS", 0.0)

    def pass_time() -> None:
        half = SWITCH_SECONDS / 2
        user.faults.add("GET", "/sqlPools/", times=2, then=lambda: user.clock.advance(half))

    user.faults.add("POST", "/resume", late=True, then=pass_time)
    return user


def test_sql_resumes_a_paused_pool_and_pauses_it_again(quick, capsys):
    sql("SELECT 1 AS one", output="json")

    told = capsys.readouterr()
    assert json.loads(told.out) == [{"one": 1}]
    assert "waiting until it is online" in told.err
    assert power().leases() == {}
    assert is_paused(quick)


def test_a_command_reads_the_azure_settings_once(quick, monkeypatch):
    read, original = [], settings.AzureSettings
    monkeypatch.setattr(settings, "AzureSettings", lambda: read.append(original()) or read[-1])
    sql("SELECT 1 AS one")
    assert len(read) == 1


def test_sql_that_fails_gives_the_pool_back_too(quick):
    with pytest.raises(BikecastError, match="Msg 208"):
        sql("SELECT * FROM dbo.nope")
    assert is_paused(quick)


def test_sql_on_the_lake_asks_the_spark_pool_and_leaves_no_session(user, capsys):
    write_deltalake(
        lake().url("tables/bike_data"),
        pa.table({"rentals": [331, 7]}),
        storage_options=lake().table_options(),
    )
    script = "SELECT sum(rentals) AS total FROM bike_data; SELECT * FROM bikes"
    with pytest.raises(BikecastError, match="The lake's tables are: bike_data"):
        sql(script, output="json", lake=True)

    told = capsys.readouterr()
    assert json.loads(told.out) == [{"total": 338}]
    assert "costs until it is stopped" in told.err
    assert "was stopped" in told.err
    assert (len(user.livy_sessions.sessions), user.livy_sessions.live()) == (1, [])


def test_run_says_what_to_do_instead(user):
    with pytest.raises(InvalidInput, match="bikecast ui"):
        run(as_json=True)


def test_sql_without_the_right_to_resume_names_the_role(user):
    user.faults.add("POST", "/resume", faults.FORBIDDEN)

    with pytest.raises(BikecastError, match="az role assignment create"):
        sql("SELECT 1 AS one", output="json")
    assert power().leases() == {}


@pytest.mark.slow
def test_rollback_leaves_no_lease_behind(quick, capsys):
    with pytest.raises(InvalidInput, match="No model is live"):
        rollback()
    assert power().leases() == {}
    assert is_paused(quick)


@pytest.mark.slow
def test_rescore_resumes_a_paused_pool_and_pauses_it_again(quick, tmp_path):
    write_forecast_csv(tmp_path / "forecast.csv")
    lake().put(BIKE_RENTALS.scoring_file, tmp_path / "forecast.csv")

    with pytest.raises(InvalidInput, match="No model is live"):
        rescore("2013-01-01", "2013-01-02")
    assert len(quick.calls("POST", "/resume")) == 1
    assert power().leases() == {}
    assert is_paused(quick)


@pytest.mark.slow
def test_models_and_status_do_not_resume_the_pool(user, capsys, tmp_path):
    from bikecast.core.onnx.contract import model_digest
    from tests.unit.sql_pool.onnx_models import weighted_sum

    path = tmp_path / "model.onnx"
    path.write_bytes(weighted_sum({"temp": "real"}, 1.0, output="variable_out1"))
    digest = model_digest(path.read_bytes())
    name = "rental-prediction-model"
    registry().register(name, path, job_id="job-1", digest=digest, scores={}, tags={})
    registry().set_alias(name, "champion", 1)

    models([], standalone_mode=False)
    told = capsys.readouterr()
    assert "The SQL pool is Paused" in told.err
    assert "live" in told.out
    status(as_json=True)
    found = json.loads(capsys.readouterr().out)
    [live] = found["live"]
    assert live["version"] == 1
    assert live["SQL pool"].startswith("Paused")
    assert user.calls("POST", "/resume") == []
