"""Child processes that never outlive their parent, even when it is killed with -9."""

from __future__ import annotations

import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int | None = None) -> None:
    """On Linux, ask the kernel to kill this process when its parent dies; elsewhere nothing.

    `parent` is the pid of the parent, where it is known: it may have died before the call.
    """
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent if parent else os.getppid() == 1:
        os._exit(1)


def watch_parent() -> None:
    """In a child of multiprocessing, end as soon as the parent is gone; works on every system."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
