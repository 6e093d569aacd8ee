"""The adapters of one Azure environment, for tests."""

from __future__ import annotations

from pathlib import Path

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_training_csv
from resources.automl.azure_ml import AzureAutoML
from resources.automl.port import TrainingRequest
from resources.lake.adls import AdlsLake
from resources.registry.azure_ml import AzureMlRegistry
from resources.spark.synapse import SynapseSpark
from resources.sql_pool.synapse_power import SynapseSqlPoolPower

PLACE = {
    "subscription_id": "55555555-5555-5555-5555-555555555555",
    "resource_group": "bikes",
    "workspace": "bikeml",
}
ACCOUNT, CONTAINER = "bikelake", "files"


def lake() -> AdlsLake:
    return AdlsLake.of(ACCOUNT, CONTAINER)


def registry() -> AzureMlRegistry:
    return AzureMlRegistry(**PLACE)


def automl(folder: Path) -> AzureAutoML:
    return AzureAutoML(**PLACE, lake=lake(), downloads=str(folder / "jobs"))


def spark() -> SynapseSpark:
    return SynapseSpark(workspace="bikesynapse", pool="sparkpool", lake=lake())


def power() -> SynapseSqlPoolPower:
    place = {"subscription_id": PLACE["subscription_id"], "resource_group": "bikes"}
    return SynapseSqlPoolPower(**place, workspace="bikesynapse", pool="pool", lake=lake())


def training_request(job_id: str, **changes: object) -> TrainingRequest:
    arguments = {
        "job_id": job_id,
        "spec": BIKE_RENTALS,
        "table_path": BIKE_RENTALS.training_table_path,
        "data_version": "v1",
        "budget_seconds": 900.0,
        "tags": {"root_run_id": "run"},
    }
    return TrainingRequest(**(arguments | changes))  # type: ignore[arg-type]


def write_training_table(folder: Path) -> None:
    """Put the spec's Delta table with one simulated year into the lake."""
    from deltalake import write_deltalake

    from resources.lake.csv_file import read_training_csv

    path = folder / "days.csv"
    write_training_csv(path, years=1)
    content = read_training_csv(path, BIKE_RENTALS, source_name="days")
    place = lake()
    write_deltalake(
        place.url(BIKE_RENTALS.training_table_path),
        content.table,
        storage_options=place.table_options(),
    )
