"""The cloud's clock: real time, and what a test adds to it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Services read their time here, so a test lets minutes pass at once."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds

    def text(self) -> str:
        """The time as Azure writes it."""
        return datetime.fromtimestamp(self.now(), UTC).isoformat().replace("+00:00", "Z")
