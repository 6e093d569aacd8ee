"""Three models side by side in the Dagster UI, materialized by one click in a real browser."""

from collections.abc import Iterator

import pytest

from assets.waiting import TRAINING_SENSOR
from tests.cli import Cli
from tests.three_models import project_with_three_models
from tests.ui.dagster_ui import DagsterUi, dagster_ui
from tests.ui.pages import browser_page, chromium, materialize_all, metadata_value, open_asset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no chromium: apt-get install chromium"),
]

PREDICTIONS = ("predicted_rentals", "predicted_trips", "predicted_coffee")
MODELS = ("rental_prediction_model", "trips_model", "coffee_model")


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Iterator[tuple[Cli, DagsterUi, dict[str, list[str]]]]:
    """The UI after one click on "Materialize all" on the graph of all models."""
    cli = project_with_three_models(tmp_path_factory.mktemp("three"), trials=2)
    with dagster_ui(cli) as ui:
        with browser_page() as page:
            materialize_all(page, ui)
            state = ui.wait_for_assets(timeout=1200)
        yield cli, ui, state


def test_one_click_materializes_all_models_and_a_sensor_finishes_each(three):
    _, ui, state = three
    runs = {run["runId"]: run for run in ui.runs()}
    assert {run["status"] for run in runs.values()} == {"SUCCESS"}
    finishing = [runs[state[name][0]] for name in MODELS]
    assert [run["jobName"] for run in finishing] == [
        "finish_training",
        "trips_finish_training",
        "coffee_finish_training",
    ]
    assert {run["tags"]["dagster/sensor_name"] for run in finishing} == {TRAINING_SENSOR}
    assert set(map(len, state.values())) == {1}


def test_each_model_has_groups_of_its_own_in_the_graph(three):
    _, ui, _ = three
    nodes = ui.query("{ assetNodes { groupName assetKey { path } } }")["assetNodes"]
    groups = {node["assetKey"]["path"][-1]: node["groupName"] for node in nodes}
    assert [groups[name] for name in PREDICTIONS] == ["serving", "trips_serving", "coffee_serving"]


@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_page_of_each_models_predictions_shows_how_they_were_made(three, name):
    _, ui, _ = three
    with browser_page() as page:
        open_asset(page, ui, name)
        assert metadata_value(page, "scored_by").inner_text()


@pytest.mark.parametrize("name", ["bike_rentals", "trips", "coffee"])
def test_a_prediction_that_the_ui_has_made_is_explained(three, name):
    cli, _, _ = three
    done = cli("explain", "1", "--model", name)
    assert done.returncode == 0, done.stderr
