"""How many rows a training reads at most."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

#: Bytes that a training takes for each value of a table, all of its processes together: measured
#: by benchmarks/automl_limits.py, rounded up.
BYTES_A_VALUE = 128
#: Files with the memory that a container may have, in bytes: control groups of version 2 and 1.
_CONTAINER = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def row_limit(columns: int, max_rows: int = 0) -> int:
    """Rows of so many columns that half of the memory is enough for; `max_rows` at most, if any.

    The memory is the machine's or the container's, not what is free just now, so that the same
    table gives the same rows each time.
    """
    rows = memory() // (2 * BYTES_A_VALUE * max(1, columns))
    return min(rows, max_rows) if max_rows else rows


def memory() -> int:
    """Bytes of memory that this process may use."""
    import psutil

    limits = [int(psutil.virtual_memory().total)]
    for path in _CONTAINER:
        with suppress(OSError, ValueError):  # there is none, or "max"
            limits.append(int(path.read_text()))
    return min(limits)
