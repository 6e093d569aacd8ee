"""What runs by itself: conditions on a real event log, the file sensor, the alerts."""

import os

import dagster as dg
import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.files import file_digest
from pipelines.automation import automated, reload_new_forecast, rescore_on_change
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import ROLLBACK_TAG, model_jobs
from pipelines.sample.simulator import write_forecast_csv, write_training_csv
from pipelines.sensors.alerts import WEBHOOK, send_alert
from pipelines.sensors.new_files import file_sensor
from pipelines.settings import load_settings
from resources.lake.local import LocalLake
from resources.lake.sources import SAMPLE, Sources


@dg.asset
def source():
    return dg.MaterializeResult(data_version=dg.DataVersion(CONTENT["source"]))


@dg.asset(deps=[source], automation_condition=reload_new_forecast())
def table():
    return dg.MaterializeResult(data_version=dg.DataVersion(CONTENT["source"]))


@dg.asset(deps=[table], automation_condition=rescore_on_change())
def predictions():
    return dg.MaterializeResult(data_version=dg.DataVersion("p-" + CONTENT["source"]))


CONTENT = {"source": "1"}
DEFS = dg.Definitions([source, table, predictions])


class Automation:
    """Evaluates and runs what was asked for, as the daemon does."""

    def __init__(self, instance):
        self.instance, self.cursor = instance, None

    def tick(self) -> list[str]:
        result = dg.evaluate_automation_conditions(DEFS, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        keys = [dg.AssetKey("table"), dg.AssetKey("predictions")]
        asked = [key for key in keys if result.get_num_requested(key)]
        if asked:
            self.run(*asked)
        return [key.to_user_string() for key in asked]

    def run(self, *keys, tags=None) -> None:
        done = dg.materialize(
            [source, table, predictions], selection=[*keys], instance=self.instance, tags=tags
        )
        assert done.success


@pytest.fixture
def automation():
    CONTENT["source"] = "1"
    with dg.DagsterInstance.ephemeral() as instance:
        automation = Automation(instance)
        automation.run("source", "table", "predictions")
        automation.tick()
        yield automation


def test_nothing_runs_where_nothing_changed(automation):
    assert automation.tick() == []
    automation.run("source")
    assert automation.tick() == []


def test_changed_content_reloads_and_rescores_once(automation):
    CONTENT["source"] = "2"
    automation.run("source")
    asked = automation.tick() + automation.tick() + automation.tick()
    assert sorted(asked) == ["predictions", "table"]


def test_a_change_of_the_model_rescores_once(automation):
    CONTENT["source"] = "3"
    automation.run("table")
    asked = automation.tick() + automation.tick()
    assert asked == ["predictions"]


def test_a_rollback_just_after_a_rescoring_is_not_lost(automation):
    CONTENT["source"] = "4"
    automation.run("table")
    assert automation.tick() == ["predictions"]
    CONTENT["source"] = "5"
    automation.run("table", tags={ROLLBACK_TAG: "yes"})
    asked = automation.tick() + automation.tick() + automation.tick() + automation.tick()
    assert asked == ["predictions"]


def test_each_asset_has_a_freshness_policy_and_all_but_the_polling_is_off():
    from assets.lineage import model_assets

    for asset in automated(SPEC, model_assets(SPEC, training_code=())):
        for each in asset.specs:
            is_on_demand = each.partitions_def is not None
            assert is_on_demand or each.freshness_policy is not None, each.key


@pytest.fixture
def files(tmp_path):
    training, forecast = tmp_path / "t.csv", tmp_path / "f.csv"
    write_training_csv(training, years=1)
    write_forecast_csv(forecast, years=1)
    (tmp_path / "lake").mkdir()
    lake = LocalLake(root=str(tmp_path / "lake"))
    paths = {SPEC.source_file: str(training), SPEC.scoring_file: str(forecast)}
    return lake, Sources(lake, paths=paths), training, forecast


def tick(instance, lake, sources, cursor=None):
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"lake": lake, "sources": sources}
    )
    return file_sensor(SPEC, model_jobs(SPEC))(context)


def store(instance, asset, path):
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset, tags={"dagster/data_version": file_digest(path)})
    )


def deploy(instance, training, forecast):
    store(instance, SPEC.source_asset, training)
    store(instance, FORECAST, forecast)
    instance.report_runless_asset_event(dg.AssetMaterialization(f"{SPEC.model_table}_table"))


FORECAST = f"{SPEC.scoring_table}_file"


def test_a_new_training_file_starts_the_main_job_once_and_a_touched_one_does_not(files):
    lake, sources, training, forecast = files
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(instance, lake, sources)
        repeated = tick(instance, lake, sources)
        assert first.run_requests[0].run_key == repeated.run_requests[0].run_key
        assert not tick(instance, lake, sources, first.cursor).run_requests
        deploy(instance, training, forecast)
        os.utime(training)
        quiet = tick(instance, lake, sources, first.cursor)
        assert not quiet.run_requests
        write_training_csv(training, years=2)
        [request] = tick(instance, lake, sources, quiet.cursor).run_requests
        assert request.run_key != first.run_requests[0].run_key
        assert request.job_name == "bike_rentals"
        assert request.tags["bikecast/changed_files"] == "bike-rentals-training.csv"


def test_a_new_forecast_alone_is_scored(files):
    lake, sources, training, forecast = files
    with dg.DagsterInstance.ephemeral() as instance:
        deploy(instance, training, forecast)
        write_forecast_csv(forecast, years=2)
        [request] = tick(instance, lake, sources).run_requests
        assert request.job_name == "score"


def test_a_file_that_was_refused_is_not_tried_again_but_goes_on_when_it_is_corrected(files):
    lake, sources, training, forecast = files
    with dg.DagsterInstance.ephemeral() as instance:
        deploy(instance, training, forecast)
        training.write_text("broken")
        refused = tick(instance, lake, sources)
        assert len(refused.run_requests) == 1
        write_forecast_csv(forecast, years=2)
        [request] = tick(instance, lake, sources, refused.cursor).run_requests
        assert request.job_name == "score"
        assert request.tags["bikecast/changed_files"] == "weather-forecast.csv"


def test_going_back_to_an_earlier_content_is_a_change_too(files):
    lake, sources, training, forecast = files
    keys, cursor = [], None
    with dg.DagsterInstance.ephemeral() as instance:
        deploy(instance, training, forecast)
        for years in (2, 1, 2):
            write_training_csv(training, years=years)
            result = tick(instance, lake, sources, cursor)
            [request] = result.run_requests
            keys.append(request.run_key)
            cursor = result.cursor
            store(instance, SPEC.source_asset, training)
    assert len(set(keys)) == 3


def test_the_sample_and_a_url_are_not_watched(files):
    lake, _, _, _ = files
    paths = {SPEC.source_file: SAMPLE, SPEC.scoring_file: "https://localhost/f.csv"}
    with dg.DagsterInstance.ephemeral() as instance:
        assert not tick(instance, lake, Sources(lake, paths=paths)).run_requests


def test_an_alert_reaches_the_webhook(webhook):
    address, received = webhook
    assert send_alert({"text": "score failed", "run_id": "r", "job": "score"}, address)
    assert received == [{"text": "score failed", "run_id": "r", "job": "score"}]


def test_a_webhook_that_does_not_answer_is_logged_without_its_address(caplog):
    assert not send_alert({"text": "score failed"}, "http://127.0.0.1:1/secret-path")
    assert "score failed" in caplog.text
    assert "secret-path" not in caplog.text


def test_a_webhook_that_is_no_address_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv(WEBHOOK, "ftp://secret-path")
    with pytest.raises(InvalidInput, match=f"{WEBHOOK}: .*not an http") as caught:
        load_settings()
    assert "secret-path" not in str(caught.value)
