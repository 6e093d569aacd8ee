"""Renews the pictures of docs/explore.md: `make screenshots`.

That of the notebook needs JupyterLab, which the tests' lock lacks: JUPYTER_PYTHON names a Python
that has it, and without one the old picture stays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from tests.cli import PROJECT, Cli
from tests.notebooks import executed
from tests.ui.pages import browser_page

PICTURES = PROJECT / "docs" / "images"
PORT = 18_888
#: Milliseconds until what moves has come to rest.
REST = 5_000


def main() -> None:
    """The page of a profile, and the notebook `explore` in JupyterLab."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cli = Cli(folder / "home")
        done = cli("profile", "sample", "--html", str(folder / "profile.html"))
        assert done.returncode == 0, done.stderr
        with browser_page(1140, 980) as page:
            page.goto((folder / "profile.html").as_uri())
            page.screenshot(path=PICTURES / "profile.png")
        python = os.environ.get("JUPYTER_PYTHON", sys.executable)
        if python == sys.executable and find_spec("jupyterlab") is None:
            sys.stderr.write("There is no JupyterLab here; docs/images/notebook.png stays.\n")
            return
        os.environ["BIKECAST_HOME"] = str(cli.home)
        executed(folder, ["explore"])
        notebook(python, folder)


def notebook(python: str, folder: Path) -> None:
    """The executed notebook, from its query on."""
    command = [python, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={PORT}"]
    options = ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    server = subprocess.Popen([*command, *options])
    try:
        for _ in range(1500):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api").close()
                break
            time.sleep(0.2)
        with browser_page(1280, 900) as page:
            page.goto(f"http://127.0.0.1:{PORT}/doc/tree/notebook.ipynb", wait_until="commit")
            page.locator(".jp-Notebook").first.wait_for()
            page.wait_for_timeout(REST)
            news = page.get_by_role("button", name="No", exact=True)
            if news.count():  # a new JupyterLab asks whether to tell of Jupyter's news
                news.click()
            page.locator(".jp-Notebook").get_by_text("Query it").first.scroll_into_view_if_needed()
            page.mouse.wheel(0, 600)
            page.wait_for_timeout(REST)
            page.screenshot(path=PICTURES / "notebook.png")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
