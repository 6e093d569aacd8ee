"""The Dagster UI in a real browser, on one home that starts empty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from assets.waiting import TRAINING_SENSOR
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import registry_for
from pipelines.home import Home
from pipelines.sample.simulator import write_training_csv
from tests.cli import Cli
from tests.ui.dagster_ui import DagsterUi, dagster_ui
from tests.ui.foreign_site import (
    FOREIGN_HOST,
    FOREIGN_NAME,
    WAYS_OF_A_FOREIGN_PAGE,
    foreign_site,
)
from tests.ui.pages import (
    browser,
    chromium,
    color,
    flip,
    launch_job,
    materialize_all,
    metadata_value,
    new_page,
    open_asset,
    open_automation,
    open_checks,
    open_graph,
    show_markdown,
    switch,
)
from tests.ui.tampering import other_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no chromium: apt-get install chromium, or run `make test` as root"
)

MODEL_TABLE = f"{SPEC.model_table}_table"


@dataclass(frozen=True)
class Chain:
    """A home whose assets were all materialized by one click."""

    cli: Cli
    ui: DagsterUi
    before: dict[str, list[str]]
    """Materializations before the click."""
    state: dict[str, list[str]]
    runs: dict[str, dict]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """One browser for all pages; it finds the foreign site."""
    with browser(FOREIGN_NAME) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def chain(tmp_path_factory, chrome) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("ui")
    csv = folder / "rentals.csv"
    write_training_csv(csv)
    cli = Cli(folder / "home", trials=2)
    with dagster_ui(cli, BIKECAST_CSV=str(csv)) as ui:
        with new_page(chrome) as page:
            before = ui.materializations()
            materialize_all(page, ui)
            state = ui.wait_for_assets()
        runs = {run["runId"]: run for run in ui.runs()}
        yield Chain(cli, ui, before, state, runs)


@pytest.fixture
def page(chain, chrome):
    with new_page(chrome) as page:
        yield page


def test_materialize_all_on_the_graph_finishes_the_chain_without_another_click(chain):
    runs, state = chain.runs, chain.state
    assert set(map(len, chain.before.values())) == {0}
    assert {run["status"] for run in runs.values()} == {"SUCCESS"}
    first = runs[state[SPEC.run_asset][0]]
    finishing = runs[state[SPEC.model_table][0]]
    assert finishing["runId"] != first["runId"]
    assert finishing["jobName"] == "finish_training"
    assert finishing["tags"]["dagster/sensor_name"] == TRAINING_SENSOR
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


def test_the_graph_shows_every_asset_of_the_chain(chain, page):
    open_graph(page, chain.ui)
    for name in chain.state:
        assert page.get_by_text(name[:6]).count(), name


def test_the_page_of_the_predictions_shows_their_plot_and_passed_checks(chain, page):
    open_asset(page, chain.ui, SPEC.predictions_table)
    page.get_by_text("rescore_on_change").first.wait_for()
    show_markdown(page, "forecast")
    plot = page.locator("img[alt^='Forecast']")
    plot.wait_for()
    page.wait_for_function("() => document.querySelector('img[alt^=Forecast]').complete")
    assert plot.evaluate("image => image.naturalWidth") > 300
    open_checks(page, chain.ui, SPEC.predictions_table, "predict_equals_onnx_runtime")
    page.get_by_text("Passed", exact=True).first.wait_for()
    red, green, _ = color(page.get_by_text("Passed", exact=True).first)
    assert green > red


def test_the_switches_of_sensors_and_schedules_are_as_documented_and_work(chain, page):
    open_automation(page, chain.ui)
    on = {
        name: switch(page, kind, name).is_checked()
        for kind, names in {
            "sensors": (TRAINING_SENSOR, "automation", "new_files", "failure_alerts"),
            "schedules": ("daily_scoring", "weekly_retraining"),
        }.items()
        for name in names
    }
    assert {name for name, is_on in on.items() if is_on} == {TRAINING_SENSOR}
    for kind, name in (("schedules", "weekly_retraining"), ("sensors", "failure_alerts")):
        assert chain.ui.status_of(name) == "STOPPED"
        flip(switch(page, kind, name))
        assert chain.ui.wait_for_status(name, "RUNNING")
        flip(switch(page, kind, name))
        assert chain.ui.wait_for_status(name, "STOPPED")


@pytest.mark.parametrize("way", WAYS_OF_A_FOREIGN_PAGE)
def test_a_page_of_another_site_starts_no_run(chain, page, way):
    """Guards the fault that Dagster's webserver takes changes from any page, also by GET."""
    runs = {run["runId"] for run in chain.ui.runs()}
    with foreign_site(chain.ui, way) as address:
        page.goto(address)
        page.wait_for_function("() => document.title === 'sent'")
    assert {run["runId"] for run in chain.ui.runs()} == runs


def test_a_page_under_a_name_that_was_rebound_reads_nothing(chain, page):
    address = chain.ui.url.replace("127.0.0.1", FOREIGN_HOST)
    for path in ("/server_info", "/graphql?query={version}", "/"):
        answer = page.goto(address + path)
        assert (answer.status, answer.text()) == (400, "Invalid host header")


def test_a_failing_check_is_red_and_stops_what_follows(chain, page):
    stored = chain.ui.materializations()[SPEC.predictions_table]
    with other_model(Home(chain.cli.home)):
        run = launch_job(page, chain.ui, "score")
    assert run["status"] == "FAILURE"
    assert chain.ui.materializations()[SPEC.predictions_table] == stored
    open_checks(page, chain.ui, SPEC.predictions_table, "predict_equals_onnx_runtime")
    page.get_by_text("PREDICT differs from ONNX Runtime").first.wait_for()
    red, green, blue = color(page.locator("[class*=BaseTag]").get_by_text("Failed").first)
    assert red > 2 * green
    assert red > 2 * blue


def test_the_page_of_the_model_table_shows_the_live_version(chain, page):
    open_asset(page, chain.ui, MODEL_TABLE)
    assert metadata_value(page, "version").inner_text() == "1"


@pytest.mark.slow
def test_the_rollback_job_changes_the_live_version_on_the_model_tables_page(chain, page):
    register_again(chain.cli)
    assert chain.cli("rollback", "2").returncode == 0
    open_asset(page, chain.ui, MODEL_TABLE)
    assert metadata_value(page, "version").inner_text() == "2"
    run = launch_job(page, chain.ui, "rollback")
    assert run["status"] == "SUCCESS"
    open_asset(page, chain.ui, MODEL_TABLE)
    assert metadata_value(page, "version").inner_text() == "1"
    assert "back from version 2 to version 1" in metadata_value(page, "reason").inner_text()


def register_again(cli: Cli) -> None:
    """Register the bytes of version 1 as version 2, so that no second training is needed."""
    registry = registry_for(Home(cli.home))
    [first] = registry.versions(SPEC.model_name)
    path = cli.home.parent / "again.onnx"
    path.write_bytes(registry.download(SPEC.model_name, first.version))
    registry.register(
        SPEC.model_name,
        path,
        job_id=f"{first.job_id}-again",
        digest=first.digest,
        scores=first.scores,
        tags=first.tags,
    )
