"""One process at a time has a pool's file.

DuckDB reads a file's header before it locks the file. A process that opens the file in the moment
when another one closes it would go on from the state before, and what the other one committed
would be lost. So a lock beside the file is taken before DuckDB opens it, and kept until DuckDB has
closed it; the system releases it when the process dies.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bikecast.embedded.sql_pool.errors import SqlError, failure

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


@dataclass
class _Hold:
    lock: FileLock
    users: int = 0


_mutex = threading.Lock()
_holds: dict[tuple[int, Path], _Hold] = {}  # by process id, since a fork inherits this module


class Patience:
    """A time to wait for a file, in pauses that grow."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    def wait(self) -> bool:
        """Pause; False at once when the time is over."""
        if time.monotonic() >= self._end:
            return False
        time.sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)
        return True


@contextlib.contextmanager
def held(path: Path, patience: Patience) -> Iterator[None]:
    """Keep other processes from the file; the threads of this one share it.

    `path` is absolute and free of links, so that every user of the file takes the same lock.
    Raises SqlError 1222 that names the holding process when patience ends, and OSError where no
    lock can be made.
    """
    lock_file = path.with_name(f".{path.name}.lock")
    key = (os.getpid(), path)
    while not _taken(key, lock_file):
        if not patience.wait():
            raise in_use(path, _holder(lock_file), patience)
    try:
        yield
    finally:
        with _mutex:
            hold = _holds[key]
            hold.users -= 1
            if not hold.users:
                del _holds[key]
                hold.lock.release()


def _taken(key: tuple[int, Path], lock_file: Path) -> bool:
    with _mutex:
        hold = _holds.get(key)
        if hold is None:
            hold = _Hold(FileLock(lock_file, thread_local=False))
            try:
                hold.lock.acquire(blocking=False)
            except Timeout:
                return False
            _holds[key] = hold
            with contextlib.suppress(OSError):  # it only names the holder to those who wait
                lock_file.write_text(str(key[0]), encoding="ascii")
        hold.users += 1
        return True


def _holder(lock_file: Path) -> int | None:
    try:
        return int(lock_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def in_use(path: Path, process_id: int | None, patience: Patience) -> SqlError:
    """The error 1222 for a file that another process has, named where it is known."""
    import psutil

    holder = "another process"
    if process_id is not None:
        holder = f"process {process_id}"
        with contextlib.suppress(psutil.Error):
            holder += f" ({psutil.Process(process_id).name()})"
    return failure("1222", holder, path, patience.seconds)
