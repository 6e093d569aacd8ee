"""Renews the pictures of the documentation: `make screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.cli import PROJECT, Cli
from tests.ui.dagster_ui import dagster_ui
from tests.ui.pages import browser_page, materialize_all, open_graph

PICTURES = PROJECT / "docs" / "images"


def main() -> None:
    """Materialize all in an empty home and take the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cli = Cli(Path(folder) / "home")
        with dagster_ui(cli) as ui, browser_page(2300, 860) as page:
            open_graph(page, ui)
            materialize_all(page)
            ui.wait_for_assets()
            open_graph(page, ui)
            page.wait_for_timeout(5_000)
            page.screenshot(path=PICTURES / "asset-graph.png")


if __name__ == "__main__":
    main()
