"""Children that never outlive the driver, even when it is killed with -9."""

from __future__ import annotations

import multiprocessing
import os
import threading


def watch_driver() -> None:
    """In a worker, end the process as soon as the driver is gone; works on every system."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
