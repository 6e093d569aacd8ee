"""One process at a time. Others wait as long as the holder works, however long that takes."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bikecast.core.errors import BikecastError

PATIENCE = 60.0
"""Seconds without any processor time after which a holder counts as stuck."""


@contextmanager
def exclusive(
    path: Path, *, patience: float = PATIENCE, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the lock file for one process, which the system frees where that process is killed.

    `on_wait` is called once where another process has it. Raises BikecastError where that process
    and its children used no processor time for `patience` seconds: a stopped process, not one on
    a busy machine. Raises OSError where the file cannot be written.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait:
            on_wait()
        _wait(lock, path, patience)
    try:
        with contextlib.suppress(OSError):  # it only names the holder to those who wait
            path.write_text(str(os.getpid()), encoding="ascii")
        yield
    finally:
        lock.release()


def _wait(lock: FileLock, path: Path, patience: float) -> None:
    activity, last_progress = None, time.monotonic()
    while True:
        try:
            lock.acquire(timeout=min(1.0, patience))
            return
        except Timeout:
            holder = _holder(path)
            seconds = _processor_seconds(holder)
            if seconds != activity:
                activity, last_progress = seconds, time.monotonic()
            elif time.monotonic() - last_progress >= patience:
                who = "another process" if holder is None else f"process {holder}"
                raise BikecastError(
                    f"{who} holds {path} and has done nothing for {patience:g} s. Nothing was "
                    "changed. Let it go on or end it, and run again."
                ) from None


def _holder(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _processor_seconds(process_id: int | None) -> float | None:
    """What a process and its children have used; None where that cannot be seen."""
    import psutil

    if process_id is None:
        return None
    total = 0.0
    try:
        process = psutil.Process(process_id)
        for member in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = member.cpu_times()
                total += times.user + times.system
    except psutil.Error:
        return None
    return total
