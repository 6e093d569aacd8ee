"""Time awake: a clock that stands still while this process is stopped or the machine sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

TICK_SECONDS = 0.5
#: A longer silence between two readings means that nothing here could run.
GAP_SECONDS = 5.0


class AwakeClock:
    """Monotonic seconds without those in which the process did not run.

    It is read at least every TICK_SECONDS, by a thread of its own, so a long gap between two
    readings is a stop (SIGSTOP, a suspended laptop). What the process computed in the gap counts:
    a long call that keeps the interpreter's lock silences the thread too.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self._monotonic = monotonic
        self._processor = processor
        self._lock = threading.Lock()
        self._read = monotonic()
        self._computed = processor()
        self._asleep = 0.0

    def now(self) -> float:
        """Seconds, comparable with other readings of this clock only."""
        with self._lock:
            now, computed = self._monotonic(), self._processor()
            gap = now - self._read
            if gap > GAP_SECONDS:
                self._asleep += gap - min(gap, max(TICK_SECONDS, computed - self._computed))
            self._read, self._computed = now, computed
            return now - self._asleep

    def tick(self) -> None:
        """Read it again and again from a thread that ends with the process."""
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            self.now()


_clock: AwakeClock | None = None
_making = threading.Lock()


def now() -> float:
    """Seconds awake by the one clock of this process; it begins to tick with the first reading."""
    global _clock
    with _making:
        if _clock is None:
            _clock = AwakeClock()
            _clock.tick()
    return _clock.now()
