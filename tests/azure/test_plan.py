"""bikecast plan in the azure environment: steps, costs, the limit, and actual beside estimate."""

import json

import dagster as dg
import pytest
from typer.testing import CliRunner

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.app import app
from pipelines.reports.plan import make_plan
from tests.azure.environment import Location


def planned(location, seconds=900.0):
    plan = make_plan(location.instance, BIKE_RENTALS, location.resources, budget_seconds=seconds)
    return plan, {step.asset: step.action for step in plan.steps}


def started(cloud):
    return [
        call
        for call in cloud.log
        if call.method in ("PUT", "POST", "PATCH", "DELETE") and "login." not in call.host
    ]


def test_a_first_run_makes_everything_and_resumes_the_pool(location, user):
    plan, actions = planned(location)

    assert actions["bike_data"] == "prepare"
    assert actions["automl_run"] == "train"
    assert [item.name for item in plan.costs] == ["Spark", "training", "SQL pool"]
    assert plan.total == pytest.approx(sum(item.cost for item in plan.costs), abs=0.01)
    assert plan.currency == "USD"
    assert started(user) == []


def test_a_pool_that_is_online_is_not_the_runs_to_pay(location, user):
    user.sql_pools.status = "Online"
    plan, _ = planned(location)

    assert [item.name for item in plan.costs] == ["Spark", "training"]


def test_scoring_on_spark_is_one_more_batch(user, monkeypatch):
    monkeypatch.setenv("BIKECAST_SCORING", "spark")
    with dg.DagsterInstance.ephemeral() as instance:
        plan, _ = planned(Location.load(instance))

    assert [item.name for item in plan.costs].count("Spark") == 2
    assert "on Spark" in plan.steps[-1].why


def test_a_plan_beyond_the_limit_says_so_and_starts_nothing(user, monkeypatch):
    monkeypatch.setenv("BIKECAST_COST_LIMIT", "0.5")
    runner = CliRunner()
    plan = runner.invoke(app, ["plan", "--json"], catch_exceptions=False)

    assert plan.exit_code == 1
    assert json.loads(plan.stdout)["within_limit"] is False
    assert started(user) == []
    shown = runner.invoke(app, ["plan"], catch_exceptions=False)
    assert "Such a run is refused." in shown.stdout


def test_a_run_of_the_daemon_beyond_the_limit_fails_before_it_stores_new_data(user, monkeypatch):
    monkeypatch.setenv("BIKECAST_COST_LIMIT", "0.5")
    with dg.DagsterInstance.ephemeral() as instance:
        run = Location.load(instance).run()

    assert not run.success
    refused = run.all_node_events
    failures = [event for event in refused if event.is_step_failure]
    assert {event.step_key for event in failures} == {"raw_bike_rentals", "weather_forecast_file"}
    for event in failures:
        told = event.event_specific_data.user_failure_data.description
        assert "BIKECAST_COST_LIMIT=0.5" in told
    assert started(user) == []


@pytest.mark.slow
def test_actual_minutes_stand_beside_the_estimate_and_a_repeated_run_costs_no_training(
    location, user
):
    location.run()
    location.carry_on(user)

    for name in ("bike_data", "rental_prediction_model", "predicted_rentals"):
        event = location.instance.get_latest_materialization_event(dg.AssetKey(name))
        metadata = event.asset_materialization.metadata
        assert metadata["cost"].value >= 0
        assert "| estimate |" in metadata["cost_beside_estimate"].value
        assert "| actual |" in metadata["cost_beside_estimate"].value
    event = location.instance.get_latest_materialization_event(dg.AssetKey("automl_run"))
    assert event.asset_materialization.metadata["estimated_cost"].value > 0

    plan, actions = planned(location)
    assert actions["bike_data"] == "re-use"
    assert actions["automl_run"] == "re-use"
    assert actions["rental_prediction_model"] == "re-use"
    assert [item.name for item in plan.costs] == ["SQL pool"]
