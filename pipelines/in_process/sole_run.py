"""One main job at a time in a home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bikecast.core.locks import exclusive
from pipelines.home import Home
from pipelines.in_process.watcher import Watcher


@contextmanager
def sole_run(home: Home, watcher: Watcher) -> Iterator[None]:
    """Hold the home for one main job; another one waits as long as that one works.

    Raises BikecastError where it does nothing any more. A killed holder lets go by itself.
    """
    waiting = "another `bikecast run` uses this home; waiting for it to end"
    with exclusive(home.root / "run.lock", on_wait=lambda: watcher.warning(waiting)):
        yield
