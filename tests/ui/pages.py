"""Dagster's pages in a headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from tests.ui.dagster_ui import DagsterUi

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-quic"]
#: Milliseconds that a page may take on a busy machine.
PATIENCE = 120_000
#: What Dagster's pages show while they wait for an answer.
LOADING = "[class*=Spinner], [class*=Skeleton], .bp5-spinner"


def chromium() -> str | None:
    """Where the browser is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser(flags: Sequence[str] = ()) -> Iterator[Browser]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, *flags])
        try:
            yield chrome
        finally:
            chrome.close()


@contextmanager
def new_page(
    chrome: Browser, width: int = 1600, height: int = 900, scale: float = 1
) -> Iterator[Page]:
    """A page with cookies and storage of its own; `scale` is pixels of a picture a pixel of it."""
    page = chrome.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
    try:
        page.set_default_timeout(PATIENCE)
        yield page
    finally:
        page.close()


@contextmanager
def browser_page(width: int = 1600, height: int = 900, scale: float = 1) -> Iterator[Page]:
    """A page of a headless Chromium that ends with it."""
    with browser() as chrome, new_page(chrome, width, height, scale) as page:
        yield page


def open_graph(page: Page, ui: DagsterUi) -> None:
    """Open the asset graph with all groups expanded and wait until it is drawn."""
    groups = {node["groupName"] for node in ui.query("{ assetNodes { groupName } }")["assetNodes"]}
    expanded = ",".join(f"global@global:{group}" for group in sorted(groups))
    page.goto(f"{ui.url}/asset-groups?expanded={expanded}")
    page.get_by_text("predicted_rentals").first.wait_for()


def materialize_all(page: Page, ui: DagsterUi) -> None:
    """Click "Materialize all" on the graph of all assets."""
    open_graph(page, ui)
    page.get_by_role("button", name="Materialize all").click()


def open_asset(page: Page, ui: DagsterUi, asset: str) -> None:
    """Open an asset's page and wait for its metadata."""
    page.goto(f"{ui.url}/assets/{asset}")
    page.get_by_text("Latest materialization").first.wait_for()
    metadata_value(page, "seconds").wait_for()


def open_checks(page: Page, ui: DagsterUi, asset: str, check: str) -> None:
    """Open one check of an asset and wait for its latest result."""
    page.goto(f"{ui.url}/assets/{asset}?view=checks&checkDetail={check}")
    page.get_by_text("Evaluation result").first.wait_for()


def metadata_value(page: Page, name: str) -> Locator:
    """The cell with a metadata value, on an asset's page."""
    row = f"tr:has(td:first-child span:text-is('{name}'))"
    return page.locator(f"{row} > td:last-child").last


def show_markdown(page: Page, name: str) -> None:
    """Open the dialog with a metadata value that is Markdown."""
    metadata_value(page, name).get_by_text("[Show Markdown]").click()
    page.get_by_role("button", name="Close").wait_for()


def launch_job(page: Page, ui: DagsterUi, job: str) -> dict:
    """Click "Materialize" on a job's page; returns the run once it has ended."""
    known = {run["runId"] for run in ui.runs()}
    page.goto(f"{ui.url}/locations/bikecast/jobs/{job}")
    page.get_by_role("button", name="Materialize").first.click()
    return ui.wait_for_run(job, known)


def open_automation(page: Page, ui: DagsterUi) -> None:
    """Open the list of sensors and schedules and wait for their switches."""
    page.goto(f"{ui.url}/automation")
    page.get_by_text("weekly_retraining").first.wait_for()
    loaded(page)


def switch(page: Page, kind: Literal["sensors", "schedules"], name: str) -> Locator:
    """The checkbox of a sensor's or a schedule's switch in the list."""
    row = page.locator(f"a[href$='/{kind}/{name}']").first
    row = row.locator("xpath=ancestor::*[.//input[@type='checkbox']][1]")
    return row.locator("input[type=checkbox]").last


def flip(found: Locator) -> None:
    """Click a switch; its checkbox lies off the page, under a label."""
    found.locator("xpath=ancestor::label[1]").click()


def loaded(page: Page) -> None:
    """Wait until nothing on the page is being loaded."""
    page.wait_for_function(f"() => !document.querySelector({LOADING!r})")


def color(found: Locator) -> tuple[int, int, int]:
    """The colour of an element's text: red, green and blue from 0 to 255."""
    painted = found.evaluate(
        """element => {
            const context = document.createElement('canvas').getContext('2d');
            context.fillStyle = getComputedStyle(element).color;
            context.fillRect(0, 0, 1, 1);
            return [...context.getImageData(0, 0, 1, 1).data];
        }"""
    )
    red, green, blue = painted[:3]
    return red, green, blue
