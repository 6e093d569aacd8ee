"""Renews the pictures of the documentation: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.home import Home
from pipelines.sample.simulator import write_training_csv
from tests.cli import PROJECT, Cli
from tests.ui.dagster_ui import DagsterUi, dagster_ui
from tests.ui.pages import (
    browser_page,
    launch_job,
    loaded,
    materialize_all,
    open_asset,
    open_automation,
    open_checks,
    open_graph,
    show_markdown,
)
from tests.ui.tampering import other_model

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

PICTURES = PROJECT / "docs" / "images"
MODEL_TABLE = f"{SPEC.model_table}_table"
#: Seconds of training: a picture needs no better model.
BUDGET = "60"
#: Milliseconds until what moves has come to rest.
REST = 2_000


def main(folder_of_all: Path | None = None) -> None:
    """Materialize all in an empty home and walk through the pages.

    A folder gets a picture of each page of an asset, a check, a sensor and a run, as long as the
    page is, to look through.
    """
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csv = folder / "rentals.csv"
        write_training_csv(csv)
        cli = Cli(folder / "home")
        with dagster_ui(cli, BIKECAST_CSV=str(csv), BIKECAST_BUDGET=BUDGET) as ui:
            with browser_page(2900, 1050, scale=0.7) as page:
                materialize_all(page, ui)
                ui.wait_for_assets()
                graph(page, ui)
            with browser_page(1600, 900) as page:
                walk(page, ui)
                if folder_of_all is not None:
                    take_all(page, ui, folder_of_all)
            with browser_page(1600, 900) as page:
                roll_back(page, ui, cli, csv)
            with browser_page(1600, 720) as page:
                fail_a_check(page, ui, cli)


def graph(page: Page, ui: DagsterUi) -> None:
    """The asset graph, without what stands beside it."""
    open_graph(page, ui)
    page.get_by_text("Materialized", exact=True).first.wait_for()
    take(page, "asset-graph", clip={"x": 560, "y": 130, "width": 2260, "height": 850})


def walk(page: Page, ui: DagsterUi) -> None:
    """The pages of an asset, its checks, and all sensors and schedules."""
    open_asset(page, ui, SPEC.predictions_table)
    take(page, "asset-page")
    show_markdown(page, "forecast")
    take(page, "asset-plot")
    open_checks(page, ui, SPEC.predictions_table, "predict_equals_onnx_runtime")
    take(page, "checks")
    open_automation(page, ui)
    take(page, "automation")


def take_all(page: Page, ui: DagsterUi, folder: Path) -> None:
    """Pages that the documents do not show, from top to end."""
    folder.mkdir(parents=True, exist_ok=True)
    height = page.viewport_size["height"] if page.viewport_size else 900

    def whole(name: str) -> None:
        loaded(page)
        page.wait_for_timeout(REST)
        hidden = page.evaluate(
            "() => Math.max(...[...document.querySelectorAll('*')]"
            ".map(each => each.scrollHeight - each.clientHeight)"
            ".filter((hidden, at) => hidden > 0), 0)"
        )
        page.set_viewport_size({"width": 1600, "height": min(height + int(hidden), 6000)})
        page.wait_for_timeout(REST)
        page.screenshot(path=folder / f"{name}.png")
        page.set_viewport_size({"width": 1600, "height": height})

    for name in ui.materializations():
        open_asset(page, ui, name)
        whole(f"asset-{name}")
    open_checks(page, ui, SPEC.training_table, "no_suspicious_values")
    whole("checks-bike_data")
    for sensor in ("automl_run_sensor", "retrain_on_drift", "rollback_bad_model"):
        page.goto(f"{ui.url}/locations/bikecast/sensors/{sensor}")
        whole(f"sensor-{sensor}")
    page.goto(f"{ui.url}/runs")
    whole("runs")
    page.locator("a[href*='/runs/']").first.click()
    loaded(page)
    page.get_by_text("Loading run logs").wait_for(state="hidden")
    page.wait_for_timeout(REST)
    page.screenshot(path=folder / "run.png")


def roll_back(page: Page, ui: DagsterUi, cli: Cli, csv: Path) -> None:
    """A second version, made live, and the job that undoes it."""
    again = cli("run", "--retrain", "--csv", str(csv), "--budget", BUDGET)
    assert again.returncode == 0, again.stderr
    cli("rollback", "2")
    launch_job(page, ui, "rollback")
    after_rollback(page, ui)


def after_rollback(page: Page, ui: DagsterUi) -> None:
    """What the model table's page says then."""
    open_asset(page, ui, MODEL_TABLE)
    name = page.get_by_text("reason", exact=True).last
    name.evaluate("cell => cell.scrollIntoView({block: 'center', inline: 'start'})")
    take(page, "rollback")


def fail_a_check(page: Page, ui: DagsterUi, cli: Cli) -> None:
    """Another model in the pool than the registered one, which stops the scoring."""
    with other_model(Home(cli.home)):
        launch_job(page, ui, "score")
    open_checks(page, ui, SPEC.predictions_table, "predict_equals_onnx_runtime")
    take(page, "failing-check")


def take(page: Page, name: str, clip: FloatRect | None = None) -> None:
    """Wait until the page is at rest and save its picture, or a part of it."""
    loaded(page)
    page.wait_for_timeout(REST)
    page.screenshot(path=PICTURES / f"{name}.png", clip=clip)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
