"""The console script `bikecast`, and `python -m bikecast`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

CHECKOUT = str(Path(__file__).resolve().parents[1])


def main() -> None:
    """Run the command line with the checkout before all other folders of Python modules.

    The caller's PYTHONPATH and current directory may hold packages that are named pipelines,
    assets, resources or tests. Neither this process nor one that it starts takes them. One that
    is named bikecast itself would be imported instead of this module.
    """
    run_with_docstrings()
    put_checkout_first()
    import_module("pipelines.cli").main()


def run_with_docstrings() -> None:
    """Start again without PYTHONOPTIMIZE where it takes docstrings away.

    `--help` shows them, and libraries of the training do not import without theirs.
    """
    if sys.flags.optimize > 1 and os.environ.pop("PYTHONOPTIMIZE", ""):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # no shell


def put_checkout_first() -> None:
    """Put the checkout first on sys.path and in PYTHONPATH."""
    sys.path[:] = _with_checkout_first(sys.path)
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    os.environ["PYTHONPATH"] = os.pathsep.join(_with_checkout_first(folders))


def _with_checkout_first(folders: Iterable[str]) -> list[str]:
    return [CHECKOUT, *(folder for folder in folders if folder != CHECKOUT)]


if __name__ == "__main__":
    main()
