"""The calls of ONNX Runtime that a session has under way, so that a cancel ends them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import RunOptions


class Runs:
    """The running calls of one session; they are in DuckDB's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[RunOptions] = set()

    @contextlib.contextmanager
    def one(self) -> Iterator[RunOptions]:
        """Options for one call, which `terminate` reaches while the block runs."""
        from onnxruntime import RunOptions

        options = RunOptions()
        options.log_severity_level = 4
        with self._lock:
            self._running.add(options)
        try:
            yield options
        finally:
            with self._lock:
                self._running.discard(options)

    def terminate(self) -> None:
        """End the calls that run now, each behind the operator that it is at."""
        with self._lock:
            for options in self._running:
                options.terminate = True
