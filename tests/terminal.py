"""Commands in this process, on a terminal of 80 columns, in a pipe, or in an old encoding."""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from pathlib import Path
from unittest.mock import patch

from pipelines.cli.app import main

#: By name: whether somebody looks at a terminal, and its encoding.
TERMINALS = {"80": (True, "utf-8"), "pipe": (False, "utf-8"), "latin-1": (True, "latin-1")}
#: What differs from run to run and from machine to machine.
_VARIES = (
    (r"[0-9a-f]{64}", "DIGEST"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "RUN"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "YYYY-MM-DD HH:MM"),
)


class _Stream(io.TextIOWrapper):
    """A standard stream of that encoding, which says that it is a terminal, or that it is none."""

    def __init__(self, is_terminal: bool, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def printed(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def run_command(terminal: str, home: Path, *arguments: str, trials: int = 0) -> tuple[int, str]:
    """Exit code, and both outputs one after the other; a traceback is part of it."""
    out, err = (_Stream(*TERMINALS[terminal]) for _ in range(2))
    own = {"BIKECAST_HOME": str(home), "COLUMNS": "80", "TERM": "dumb", "LINES": "40"}
    own["BIKECAST_MAX_TRIALS"] = str(trials)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BIKECAST_", "DAGSTER_"))}
    code = 0
    with (
        patch.dict(os.environ, {**kept, **own}, clear=True),
        patch.object(sys, "argv", ["bikecast", *arguments]),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:  # noqa: BLE001  # a person is to see it in the snapshot
            err.write(traceback.format_exc())
            code = -1
    return code, out.printed() + err.printed()


def without_what_varies(text: str, folder: Path) -> str:
    """The text without blanks at the ends of lines, and without paths, ids and times."""
    text = text.replace(str(folder), "FOLDER")
    for pattern, word in _VARIES:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
