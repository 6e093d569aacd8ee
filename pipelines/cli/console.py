"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys

from rich.console import Console

#: Columns for output that is no terminal, so that no cell is cut.
_WIDE = 240


def stdout_console() -> Console:
    """For results."""
    return Console(width=None if sys.stdout.isatty() else _WIDE)


def stderr_console(*, steady: bool = False) -> Console:
    """For progress, logs and errors.

    `steady` keeps writing to today's standard error while a step's output is being captured.
    """
    if not steady:
        return Console(stderr=True, width=None if sys.stderr.isatty() else _WIDE)
    stream = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    return Console(file=stream, width=None if stream.isatty() else _WIDE)
