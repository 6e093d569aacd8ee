"""From the CSV files to the predictions in the azure environment, on the fake cloud."""

import dagster as dg

from tests.azure.cloud.livy import RUN_SECONDS as SPARK_SECONDS
from tests.azure.cloud.machine_learning import RUN_SECONDS as TRAINING_SECONDS


def test_the_chain_goes_from_the_csv_files_to_predictions(location, user):
    user.sql_pools.status = "Online"
    assert location.run().success
    assert "bike_data" not in location.materialized()

    user.clock.advance(SPARK_SECONDS)
    assert location.run().success
    assert {"bike_data", "automl_run"} <= location.materialized()
    assert "rental_prediction_model" not in location.materialized()
    assert len(user.livy.batches) == 1

    assert location.tick() == []
    user.clock.advance(TRAINING_SECONDS)
    [run] = location.tick()

    assert run.success
    event = location.instance.get_latest_materialization_event(dg.AssetKey("predicted_rentals"))
    assert event.asset_materialization.metadata["dagster/row_count"].value == 10
    assert len(user.calls("PUT", "/jobs/rental-prediction-model")) == 1
    assert user.sql_logins.accepted
