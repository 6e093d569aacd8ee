"""The Dagster UI in a real browser, from an empty home."""

import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from tests.cli import Cli
from tests.ui.dagster_ui import browser_page, chromium, dagster_ui, materialize_all, open_graph

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no chromium: apt-get install chromium, or run `make test` as root"
)


def test_materialize_all_finishes_the_chain_without_another_click(tmp_path):
    with dagster_ui(Cli(tmp_path / "home")) as ui, browser_page() as page:
        open_graph(page, ui)
        assert set(map(len, ui.materializations().values())) == {0}
        materialize_all(page)
        state = ui.wait_for_assets()
        runs = {run["runId"]: run for run in ui.runs()}
        page.screenshot(path=tmp_path / "graph.png")

    assert {run["status"] for run in runs.values()} == {"SUCCESS"}
    first = runs[state[SPEC.run_asset][0]]
    finishing = runs[state[SPEC.model_table][0]]
    assert finishing["runId"] != first["runId"]
    assert finishing["jobName"] == "finish_training"
    assert finishing["tags"]["dagster/sensor_name"] == f"{SPEC.run_asset}_sensor"
    by_first = {name for name, ids in state.items() if ids[0] == first["runId"]}
    by_sensor = {name for name, ids in state.items() if ids[0] == finishing["runId"]}
    assert by_first == {
        "raw_bike_rentals",
        "bike_data",
        "automl_run",
        "weather_forecast_file",
        "weather_forecast",
    }
    assert by_sensor == {
        "rental_prediction_model",
        "rental_prediction_model_table",
        "predict_rentals",
        "predicted_rentals",
    }
    assert len(runs) == 2
