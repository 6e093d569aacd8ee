"""Who uses a session: a file that its users have open, of which the last one knows that it is."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass
class SessionUse:
    """One process's use, an flock of an open file: it is over when the process is gone, however.

    A child that gets the `descriptor` shares it. The file's time is that of anybody's last use.
    """

    descriptor: int

    @classmethod
    def begin(cls, path: Path, on_wait: Callable[[], None] = lambda: None) -> SessionUse:
        """Use it from now on; waits while a last user ends it. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        use = cls(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            fcntl.flock(use.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(use.descriptor, fcntl.LOCK_SH)
        use.note()
        return use

    def note(self) -> None:
        """It is used now."""
        os.utime(self.descriptor)

    def unused_seconds(self) -> float:
        """How long nobody has used it."""
        return time.time() - os.fstat(self.descriptor).st_mtime

    def is_last(self) -> bool:
        """Whether nobody else uses it; then others wait until `end`. This use is over either way.

        Of users that ask at the same moment one is the last: the lock is given back before the
        other one is asked for.
        """
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def end(self) -> None:
        """Give the file back."""
        os.close(self.descriptor)
