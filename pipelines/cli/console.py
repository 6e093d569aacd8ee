"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys

from rich.console import Console


def stdout_console() -> Console:
    """For results."""
    return Console(soft_wrap=not sys.stdout.isatty())


def stderr_console(*, steady: bool = False) -> Console:
    """For progress, logs and errors.

    `steady` keeps writing to today's standard error while a step's output is being captured.
    """
    if not steady:
        return Console(stderr=True, soft_wrap=not sys.stderr.isatty())
    stream = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    return Console(file=stream, soft_wrap=not stream.isatty())
