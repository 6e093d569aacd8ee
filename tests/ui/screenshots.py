"""Renews the pictures of the documentation: `make screenshots`."""

from __future__ import annotations

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
#: Milliseconds until what moves has come to rest.
REST = 2_000


def main() -> None:
    """Materialize all in an empty home and walk through the pages."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csv = folder / "rentals.csv"
        write_training_csv(csv)
        cli = Cli(folder / "home")
        with dagster_ui(cli, BIKECAST_CSV=str(csv)) as ui:
            with browser_page(2900, 1050, scale=0.7) as page:
                materialize_all(page, ui)
                ui.wait_for_assets()
                graph(page, ui)
            with browser_page(1280, 800) as page:
                walk(page, ui)
            with browser_page(1280, 800) as page:
                roll_back(page, ui, cli, csv)
            with browser_page(1280, 640) as page:
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


def roll_back(page: Page, ui: DagsterUi, cli: Cli, csv: Path) -> None:
    """A second version, made live, and the job that undoes it."""
    again = cli("run", "--retrain", "--csv", str(csv))
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
    main()
