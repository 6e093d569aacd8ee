"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys
from typing import IO

from rich.console import Console

#: Columns for output that is no terminal, so that no cell is cut. Lines of text are never wrapped
#: there.
_WIDE = 240


def stdout_console() -> Console:
    """For results."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """For progress, logs and errors."""
    return _console(sys.stderr)


def steady_stderr_console() -> Console:
    """Today's standard error, also while a step's output is being captured; to be closed."""
    return _console(os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace"))


def _console(stream: IO[str]) -> Console:
    is_terminal = stream.isatty()
    return Console(file=stream, width=None if is_terminal else _WIDE, soft_wrap=not is_terminal)
