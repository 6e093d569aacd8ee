"""BIKECAST_ENV=azure as a user has it: settings, and what the code location builds of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from assets.waiting import SPARK_SENSOR, SQL_POOL_SENSOR, TRAINING_SENSOR
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.build import build_definitions
from pipelines.environments import Resources, resources_for
from pipelines.in_process.sensor_ticks import Ticker
from pipelines.model_files import load_models
from pipelines.settings import load_settings
from tests.azure.cloud.cloud import Cloud
from tests.azure.cloud.proxy import Proxy
from tests.azure.cloud.sql_endpoint import sql_endpoint
from tests.azure.workspace import ACCOUNT, CONTAINER, PLACE
from tests.tds_server import odbc_driver

SYNAPSE = "bikesynapse"
SENSORS = (SPARK_SENSOR, TRAINING_SENSOR, SQL_POOL_SENSOR)
MINUTES = 200.0


NAMES = {
    "subscription_id": PLACE["subscription_id"],
    "resource_group": PLACE["resource_group"],
    "ml_workspace": PLACE["workspace"],
    "synapse_workspace": SYNAPSE,
    "account": ACCOUNT,
}


@contextmanager
def settings_of(
    cloud: Cloud, proxy: Proxy, folder: Path, names: Mapping[str, str] = NAMES
) -> Iterator[dict[str, str]]:
    """The environment variables of a user of this cloud, while its SQL pool has an endpoint."""
    host = f"{names['synapse_workspace']}.sql.azuresynapse.net"
    place = {"account": names["account"], "container": CONTAINER}
    with sql_endpoint(cloud, proxy.ca, host, folder, **place) as server:
        yield {
            "BIKECAST_ENV": "azure",
            "BIKECAST_HOME": str(folder / "home"),
            "AZURE_SUBSCRIPTION_ID": names["subscription_id"],
            "AZURE_RESOURCE_GROUP": names["resource_group"],
            "AZUREML_WORKSPACE_NAME": names["ml_workspace"],
            "SYNAPSE_WORKSPACE_NAME": names["synapse_workspace"],
            "SYNAPSE_SPARK_POOL": "sparkpool",
            "SYNAPSE_SQL_POOL": cloud.sql_pools.name,
            "SYNAPSE_SQL_ENDPOINT": f"127.0.0.1,{server.port}",
            "SYNAPSE_ODBC_DRIVER": odbc_driver(),
            "DATALAKE_ACCOUNT": names["account"],
        }


@dataclasses.dataclass
class Location:
    """The code location and its event log; drives jobs and sensors as the daemon does."""

    defs: dg.Definitions
    resources: Resources
    instance: dg.DagsterInstance

    def __post_init__(self) -> None:
        self.ticker = Ticker(self.defs, self.instance)

    @classmethod
    def load(cls, instance: dg.DagsterInstance) -> Location:
        """What `pipelines.definitions` loads."""
        settings = load_settings()
        models = load_models()
        resources = resources_for(settings, models)
        return cls(build_definitions(settings, resources, models), resources, instance)

    def run(self, job: str = BIKE_RENTALS.name, **arguments: object) -> dg.ExecuteInProcessResult:
        """Run a job here."""
        found = self.defs.resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, **arguments)

    def carry_on(self, cloud: Cloud, rounds: int = 12) -> list[dg.ExecuteInProcessResult]:
        """Let all sensors tick while minutes pass, until nothing waits; returns their runs."""
        runs = []
        for _ in range(rounds):
            done = [run for sensor in SENSORS for run in self.tick(sensor)]
            runs += done
            idle = not self.ticker.pending()
            if idle and not done and not self.resources.sql_pool_power.leases():
                break
            cloud.clock.advance(MINUTES)
        return runs

    def tick(self, sensor: str | dg.SensorDefinition) -> list[dg.ExecuteInProcessResult]:
        """Evaluate a sensor once, run what it asks for (each run key once), and keep its cursor."""
        return [self._asked(job, request) for job, request in self.ticker.tick(sensor)]

    def _asked(self, job: str, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        found = self.defs.resolve_job_def(job)
        return found.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            run_config=request.run_config,
            tags=self.ticker.tags(request),
            asset_selection=request.asset_selection,
        )

    def materialized(self) -> set[str]:
        """Names of the assets that have a materialization."""
        return {
            key.to_user_string()
            for key in self.instance.all_asset_keys()
            if self.instance.get_latest_materialization_event(key)
        }
