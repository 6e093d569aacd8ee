"""Whatever goes wrong, there is one failed run that says why, and the pool is paused again."""

import dagster as dg
import pytest

from bikecast.core.sql import SqlError
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import rollback_config
from tests.azure.cloud import faults
from tests.azure.cloud.machine_learning import RUN_SECONDS
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.workspace import write_training_table

SCORING = [dg.AssetKey(SPEC.scoring_table)]
SQL_POOL_SENSOR = "sql_pool_sensor"


def reason(run: dg.ExecuteInProcessResult) -> str:
    """The text of a failed run's one failed step."""
    [event] = [e for e in run.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    told = event.step_failure_data
    return str(told.user_failure_data.description if told.user_failure_data else told.error)


def failed(runs: list[dg.ExecuteInProcessResult]) -> str:
    """The reason of the only failed run."""
    [run] = [run for run in runs if not run.success]
    return reason(run)


def is_paused(cloud) -> bool:
    cloud.clock.advance(SWITCH_SECONDS)
    return cloud.sql_pools.state() == "Paused"


@pytest.fixture
def trained(location, user, tmp_path):
    """The location with a training table and a submitted training; returns its Azure ML job."""
    write_training_table(tmp_path)
    location.instance.report_runless_asset_event(
        dg.AssetMaterialization(SPEC.training_table, tags={"dagster/data_version": "v1"})
    )
    assert location.run(SPEC.name, asset_selection=[dg.AssetKey(SPEC.run_asset)]).success
    [job] = user.machine_learning.jobs.values()
    return job


def lose(cloud, job) -> None:
    cloud.machine_learning.jobs.clear()


def fail(cloud, job) -> None:
    job.status, job.run_properties = "Failed", {"errors": "The data has no rows."}


def cancel(cloud, job) -> None:
    job.status = "Canceled"


def leave_no_onnx(cloud, job) -> None:
    cloud.clock.advance(RUN_SECONDS)
    job.tags["automl_best_child_run_id"] = f"{job.name}_0"


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lose, "is NotFound"),
        (fail, "The data has no rows."),
        (cancel, "is Canceled"),
        (leave_no_onnx, "has no ONNX file"),
    ],
    ids=["lost", "failed", "canceled", "without ONNX"],
)
def test_a_training_that_leaves_no_model_is_one_failed_run(location, user, trained, end, why):
    end(user, trained)

    said = failed(location.carry_on(user))

    assert why in said
    assert "No model was registered, and the live model is as it was" in said
    assert user.calls("POST", "/resume") == []
    assert location.carry_on(user) == []


@pytest.mark.slow
@pytest.mark.parametrize(("end", "why"), [("dead", "is Failed"), ("killed", "is Canceled")])
def test_a_spark_job_that_leaves_no_table_is_one_failed_run(location, user, end, why):
    assert location.run().success
    user.livy.batches[0].state = end
    user.livy.batches[0].result = {"dead": "Failed", "killed": "Cancelled"}[end]

    said = failed(location.carry_on(user))

    assert why in said
    assert "bike_data is unchanged; run again for the next attempt" in said
    assert "web.azuresynapse.net/monitoring" in said
    assert is_paused(user)


def scoring(location) -> dg.ExecuteInProcessResult:
    """A run that needs the pool, for which it is paused."""
    return location.run(
        "score", asset_selection=[dg.AssetKey(f"{SPEC.scoring_table}_file"), *SCORING]
    )


def test_a_run_waits_for_a_paused_pool_and_is_continued(location, user):
    assert scoring(location).success
    assert SPEC.scoring_table not in location.materialized()
    assert location.tick(SQL_POOL_SENSOR) == []
    user.clock.advance(SWITCH_SECONDS)

    [run] = location.tick(SQL_POOL_SENSOR)

    assert run.success
    assert SPEC.scoring_table in location.materialized()
    assert location.tick(SQL_POOL_SENSOR) == []
    assert is_paused(user)
    assert len(user.calls("POST", "/pause")) == 1


def test_a_refused_login_is_one_failed_run_and_the_pool_is_paused(location, user):
    scoring(location)
    user.clock.advance(SWITCH_SECONDS)
    user.sql_logins.answers = [SqlError(18456, "Login failed for user '<token-identified>'.")]

    assert "FROM EXTERNAL PROVIDER" in failed(location.tick(SQL_POOL_SENSOR))
    assert location.tick(SQL_POOL_SENSOR) == []
    assert is_paused(user)


def test_a_pool_that_may_not_be_resumed_is_one_failed_run(location, user):
    user.faults.add("POST", "/resume", faults.FORBIDDEN)

    said = reason(scoring(location))

    assert "cannot resume the SQL pool pool" in said
    assert "az role assignment create --assignee 33333333-3333" in said
    assert location.carry_on(user) == []
    assert is_paused(user)


def test_a_pool_that_never_comes_online_is_one_failed_run(location, user, monkeypatch):
    scoring(location)
    user.sql_pools.status = "Scaling"
    monkeypatch.setattr("pipelines.sensors.long_jobs.POOL_SECONDS", 0.0)

    said = failed(location.tick(SQL_POOL_SENSOR))

    assert "did not come online" in said
    assert "portal.azure.com" in said
    user.sql_pools.status = "Online"
    assert location.tick(SQL_POOL_SENSOR) == []
    assert is_paused(user)


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_the_pool_is_paused_after_a_run_that_was_killed_or_canceled(location, user, end):
    run = dg.DagsterRun(job_name="score").with_status(dg.DagsterRunStatus.STARTED)
    location.instance.add_run(run)
    power = location.resources.sql_pool_power
    power.acquire(run.run_id)
    user.clock.advance(SWITCH_SECONDS)

    location.tick(SQL_POOL_SENSOR)
    assert set(power.leases()) == {run.run_id}
    if end == "failed":
        location.instance.report_run_failed(run)
    else:
        location.instance.report_run_canceled(run)
    location.tick(SQL_POOL_SENSOR)

    assert power.leases() == {}
    assert is_paused(user)


def test_a_lease_of_an_installation_that_is_gone_is_dropped(location, user, monkeypatch):
    power = location.resources.sql_pool_power
    power.acquire("somebody-else")
    user.clock.advance(SWITCH_SECONDS)
    location.tick(SQL_POOL_SENSOR)
    assert set(power.leases()) == {"somebody-else"}
    monkeypatch.setattr("pipelines.sensors.long_jobs.LOST_SECONDS", -1.0)

    location.tick(SQL_POOL_SENSOR)

    assert is_paused(user)


def test_a_rollback_keeps_its_config_when_it_waits_for_the_pool(location, user):
    assert location.run("rollback", run_config=rollback_config(SPEC, 7)).success
    user.clock.advance(SWITCH_SECONDS)

    assert "No model is live, so nothing can be undone" in failed(location.carry_on(user))
