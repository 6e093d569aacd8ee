"""Locks by flock: the system releases them when the holder dies, even by kill -9.

An flock belongs to the open file, not to the process, so a parent can take it and hand it to a
child without a moment in which nobody holds it. That is why this is not the filelock package.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: A status probe holds a shared lock for microseconds; a taker waits this long for it to pass.
_PROBE_SECONDS = 0.5


@dataclass
class FileLock:
    """An exclusive lock that this process holds; `descriptor` may be handed to a child."""

    descriptor: int

    @classmethod
    def take(cls, path: Path) -> FileLock | None:
        """Take the lock, or None where another process holds it."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + _PROBE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    return None
                time.sleep(0.01)
            else:
                return cls(descriptor)

    def close(self) -> None:
        """Close this process's copy; a child that inherited it keeps the lock."""
        with suppress(OSError):
            os.close(self.descriptor)


def is_held(path: Path) -> bool:
    """True while a process holds the lock exclusively."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock during the block, waiting for it as long as it takes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
