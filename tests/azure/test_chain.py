"""From the CSV files to the predictions in the azure environment, on the fake cloud."""

import dagster as dg
import pytest

from pipelines.bike_rentals import BIKE_RENTALS, MAIN_JOB, SAMPLES
from pipelines.build import build_definitions
from pipelines.environments import Resources
from resources.lake.sources import Sources
from resources.sql_pool.embedded import EmbeddedSqlPool
from tests.azure import workspace
from tests.azure.cloud.livy import RUN_SECONDS as SPARK_SECONDS
from tests.azure.cloud.machine_learning import RUN_SECONDS as TRAINING_SECONDS


@pytest.fixture
def azure(cloud, tmp_path):
    """The definitions of the azure environment, with the embedded pool as the SQL pool."""
    lake = workspace.lake()
    resources = Resources(
        lake=lake,
        sources=Sources(lake, samples=SAMPLES),
        spark=workspace.spark(),
        automl=workspace.automl(tmp_path),
        registry=workspace.registry(),
        sql_pool=EmbeddedSqlPool(
            path=str(tmp_path / "pool.duckdb"),
            lake_root=str(tmp_path / "mirror"),
            lake_url=lake.copy_url("staging").removesuffix("/staging"),
        ),
    )
    cloud.storage.mirror = (workspace.ACCOUNT, workspace.CONTAINER, tmp_path / "mirror")
    return build_definitions(
        BIKE_RENTALS, resources, main_job=MAIN_JOB, budget_seconds=900, poll_seconds=5
    )


def materialized(instance) -> set[str]:
    return {
        key.to_user_string()
        for key in instance.all_asset_keys()
        if instance.get_latest_materialization_event(key)
    }


def test_the_chain_goes_from_the_csv_files_to_predictions(azure, cloud):
    with dg.DagsterInstance.ephemeral() as instance:
        job = azure.resolve_job_def(MAIN_JOB)

        assert job.execute_in_process(instance=instance).success
        assert "bike_data" not in materialized(instance)

        cloud.clock.advance(SPARK_SECONDS)
        assert job.execute_in_process(instance=instance).success
        assert {"bike_data", "automl_run"} <= materialized(instance)
        assert "rental_prediction_model" not in materialized(instance)
        assert len(cloud.livy.batches) == 1

        sensor = azure.resolve_sensor_def("automl_run_sensor")
        needed = {
            name: value
            for name, value in azure.resources.items()
            if name in sensor.required_resource_keys
        }

        def tick(cursor):
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, definitions=azure, resources=needed
            ) as context:
                return sensor.evaluate_tick(context)

        waiting = tick(None)
        assert not waiting.run_requests
        cloud.clock.advance(TRAINING_SECONDS)
        [request] = tick(waiting.cursor).run_requests

        finish = azure.resolve_job_def("finish_training")
        run = finish.execute_in_process(
            instance=instance, run_config=request.run_config, tags=request.tags
        )
        assert run.success
        assert "predicted_rentals" in materialized(instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("predicted_rentals"))
        assert event.asset_materialization.metadata["dagster/row_count"].value == 10
        assert len(cloud.calls("PUT", f"/jobs/{request.run_key}")) == 1
