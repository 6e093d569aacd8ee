"""From the CSV files to the predictions in the azure environment, on the fake cloud."""

import dagster as dg
import onnx
import pytest

from pipelines.bike_rentals import BIKE_RENTALS
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.environment import Location


def value(location, asset: str, name: str) -> object:
    event = location.instance.get_latest_materialization_event(dg.AssetKey(asset))
    return event.asset_materialization.metadata[name].value


def test_the_chain_goes_from_the_csv_files_to_predictions_and_no_worker_waits(location, user):
    assert location.run().success
    assert location.materialized() == {"raw_bike_rentals", "weather_forecast_file"}

    runs = location.carry_on(user)

    assert all(run.success for run in runs)
    assert value(location, "predicted_rentals", "dagster/row_count") == 10
    assert value(location, "rental_prediction_model_table", "version") == 1
    assert "VotingEnsemble" in value(location, "rental_prediction_model", "leaderboard")
    model = location.resources.registry.download(BIKE_RENTALS.model_name, 1)
    operators = {node.op_type for node in onnx.load_model_from_string(model).graph.node}
    assert operators >= {"ReduceMean", "Scaler", "Tokenizer", "TfIdfVectorizer", "Flatten"}
    logged = [e.user_message for r in runs for e in location.instance.all_logs(r.run_id)]
    assert any(text.startswith("What bike_data-") for text in logged)
    assert any("printed:\n[std_log.txt]\nTraining VotingEnsemble" in text for text in logged)
    assert len(user.livy.batches) == 1
    assert len(user.calls("PUT", "/jobs/rental-prediction-model")) == 1
    assert user.sql_logins.accepted
    assert location.resources.sql_pool_power.leases() == {}
    user.clock.advance(SWITCH_SECONDS)
    assert user.sql_pools.state() == "Paused"


@pytest.mark.slow
def test_the_spark_pool_scores_where_the_settings_say_so(user, monkeypatch):
    monkeypatch.setenv("BIKECAST_SCORING", "spark")
    with dg.DagsterInstance.ephemeral() as instance:
        location = Location.load(instance)
        assert location.run().success
        runs = location.carry_on(user)

        assert all(run.success for run in runs)
        assert value(location, "predicted_rentals", "scored_by") == "spark"
        assert value(location, "predicted_rentals", "dagster/row_count") == 10
        assert value(location, "predicted_rentals", "delta_version") == 0
        assert len(user.livy.batches) == 2
        assert location.resources.sql_pool_power.leases() == {}
