"""Weekly files under the real daemon, killed with -9 at random points and started again."""

import random
import time
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest
from deltalake.exceptions import TableNotFoundError

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import registry_for, sql_pool_for
from pipelines.home import Home
from resources.lake.local import LocalLake
from resources.lake.tables import open_table
from resources.sql_pool.deployment import saved_predictions
from resources.sql_pool.model_table import live_model
from tests.cli import Cli
from tests.e2e.conftest import TRIALS
from tests.e2e.test_daemon_kills import is_training, kill
from tests.e2e.test_kills import processes_of
from tests.simulation import world
from tests.ui.dagster_ui import DagsterUi, dagster_ui

pytestmark = pytest.mark.slow

WEEKS = 3
START = """mutation { startSensor(sensorSelector: { repositoryLocationName: "bikecast",
    repositoryName: "__repository__", sensorName: "%s" }) { __typename } }"""


def latest_job(home: Home) -> str | None:
    """The training of the latest submission."""
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(SPEC.run_asset))
        stored = event.asset_materialization if event else None
        return str(stored.metadata["job_id"].value) if stored else None


def rows_known(home: Home) -> int:
    try:
        table = open_table(LocalLake(root=str(home.lake)), SPEC.training_table_path)
        return table.count_rows()
    except TableNotFoundError:
        return 0


def wait_for_week(ui: DagsterUi, home: Home, week: int, timeout: float = 600) -> None:
    """Until the week's rows are trained on, its version is registered, and nothing runs."""
    wanted = len(world.days_until(week))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if rows_known(home) == wanted and not ui.busy():
            jobs = {version.job_id for version in registry_for(home).versions(SPEC.model_name)}
            trained = latest_job(home) in jobs
            live = live_model(sql_pool_for(home), SPEC)
            scored = {row["model_version"] for row in saved_predictions(sql_pool_for(home), SPEC)}
            if trained and live is not None and scored == {live.version}:
                return
        time.sleep(2)
    raise AssertionError(f"week {week}: {rows_known(home)} of {wanted} rows; {ui.runs()}")


def test_weeks_under_a_daemon_that_is_killed_lose_and_double_nothing(cli, tmp_path: Path):
    cli = Cli(cli.home, trials=TRIALS)
    home, chance = Home(cli.home), random.Random(6)
    days, forecast = tmp_path / "days.csv", tmp_path / "forecast.csv"
    settings = {"BIKECAST_CSV": str(days), "BIKECAST_FORECAST": str(forecast)}
    world.write_rows(days, world.days_until(0))
    world.write_rows(forecast, world.forecast_days(0))
    with dagster_ui(cli, **settings) as ui:
        for name in ("new_files", "automation"):
            assert ui.query(START % name)["startSensor"]["__typename"] == "Sensor"
        wait_for_week(ui, home, 0)
    for week in range(1, WEEKS):
        with dagster_ui(cli, **settings) as ui:
            world.write_rows(days, world.days_until(week))
            time.sleep(chance.uniform(5, 60))
            kill([process for process in processes_of(cli.home) if not is_training(process)])
        with dagster_ui(cli, **settings) as ui:
            wait_for_week(ui, home, week)

    registered = registry_for(home).versions(SPEC.model_name)
    assert len({version.job_id for version in registered}) == len(registered) == WEEKS
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        runs = instance.get_runs()
        assert all(run.is_finished for run in runs)
        finished = Counter(
            run.tags["bikecast/job_id"]
            for run in runs
            if run.job_name == "finish_training" and run.is_success
        )
        asked = Counter(
            run.tags["dagster/run_key"]
            for run in runs
            if "dagster/run_key" in run.tags and run.parent_run_id is None
        )
    assert set(finished.values()) <= {1}
    assert set(asked.values()) == {1}
