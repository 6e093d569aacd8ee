"""What a benchmark and all other processes use of the machine: a figure without it says little."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil


class MachineUse:
    """What this process with its children, and all others, use of the machine from now on."""

    def __init__(self) -> None:
        self._start, self._all, self._ours = time.monotonic(), *self._used()

    def facts(self) -> dict[str, float]:
        """`seconds`, `processor_seconds` of ours, and the share of the machine that others had."""
        seconds = time.monotonic() - self._start
        everything, ours = self._used()
        ours -= self._ours
        others = max(0.0, everything - self._all - ours) / (seconds * (psutil.cpu_count() or 1))
        return {"seconds": seconds, "processor_seconds": ours, "others": others}

    @staticmethod
    def _used() -> tuple[float, float]:
        times = psutil.cpu_times()
        mine = psutil.Process()
        ours = 0.0
        for process in (mine, *mine.children(recursive=True)):
            with suppress(psutil.Error):
                ours += sum(process.cpu_times()[:2])
        return times.user + times.nice + times.system, ours
