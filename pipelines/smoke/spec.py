"""The model of the smoke run: bike rentals under names of its own, with few rows and trials."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from pipelines.model_files import read_model
from pipelines.models import Model
from pipelines.sample.simulator import simulate, simulate_forecast, write_csv
from pipelines.settings import AzureSettings, Settings
from resources.automl.training_data import DATASTORE, FOLDER
from resources.lake.sources import SAMPLE, Sample

#: Azure AutoML wants 50 rows at least; these are the days until the end of May.
ROWS, DAYS = 150, 3
SMOKE = read_model(Path(__file__).with_name("model.yaml")).spec
BUDGET_SECONDS = SMOKE.training.max_training_hours * 3600
SMOKE_MODEL = Model(
    SMOKE,
    samples={
        SMOKE.source_file: Sample(
            f"{ROWS} simulated days", lambda path: write_csv(simulate(years=1).slice(0, ROWS), path)
        ),
        SMOKE.scoring_file: Sample(
            f"{DAYS} simulated days",
            lambda path: write_csv(simulate_forecast(years=1, days=DAYS), path),
        ),
    },
)


def smoke_settings(settings: Settings) -> Settings:
    """The settings of the smoke run: always the sample, the least time, a home of its own."""
    return settings.model_copy(
        update={
            "home": settings.home.expanduser().resolve() / "smoke",  # its event log and recordings
            "model": SMOKE.name,
            "csv": SAMPLE,
            "forecast": SAMPLE,
            "scoring_table": "",
            "budget": BUDGET_SECONDS,
            "daily_partitions": False,
            "alert_webhook": SecretStr(""),
        }
    )


def left_behind(azure: AzureSettings, home: Path) -> list[tuple[str, str]]:
    """What a smoke run leaves, and the command that takes it away."""
    where = f"-f {azure.container} --account-name {azure.account} --auth-mode login"
    folders = (
        "smoke",
        f"tables/{SMOKE.training_table}",
        f"tables/{SMOKE.predictions_table}",
    )
    deletes = "; ".join(f"az storage fs directory delete -y -n {name} {where}" for name in folders)
    small = f"staging/{SMOKE.scoring_table}.parquet, jobs/spark/{SMOKE.training_table}-*"
    workspace = f"-w {azure.ml_workspace} -g {azure.resource_group}"
    return [
        (f"folders of {azure.container}: {', '.join(folders)}", deletes),
        (f"small files of {azure.container}: {small}, logs", "in Azure Storage Explorer"),
        (
            f"tables and procedures of {azure.sql_pool}: smoke_*, score_smoke_*, save_smoke_*",
            f'bikecast sql "{clean_up_sql()}"',
        ),
        (
            f"the table default.{SMOKE.training_table} of the lake database",
            f"in a notebook: DROP TABLE default.{SMOKE.training_table}",
        ),
        (
            f"the model {SMOKE.model_name} in {azure.ml_workspace}",
            f"az ml model archive -n {SMOKE.model_name} {workspace}",
        ),
        (
            f"the folder {FOLDER}/{SMOKE.training_table} of {DATASTORE}, the blob store of "
            f"{azure.ml_workspace}",
            f"in Azure ML studio: Data, Datastores, {DATASTORE}, Browse",
        ),
        (
            f"the training job {SMOKE.model_name}-... in {azure.ml_workspace}",
            "Azure ML keeps jobs; they cost nothing",
        ),
        (f"event log and recordings: {home}", f"rm -r {home}"),
    ]


def clean_up_sql() -> str:
    """T-SQL that takes away what a smoke run makes in the pool."""
    audit = f"{SMOKE.model_table}_audit"
    predictions = SMOKE.predictions_table
    tables = (SMOKE.model_table, audit, SMOKE.scoring_table, predictions, f"{predictions}_scored")
    procedures = (SMOKE.procedure, f"score_{predictions}", f"save_{predictions}")
    drops = [f"DROP PROCEDURE dbo.{name}" for name in procedures]
    return "; ".join(drops + [f"DROP TABLE dbo.{name}" for name in tables])
