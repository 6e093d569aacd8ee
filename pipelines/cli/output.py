"""What the command line writes: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

LONGEST_CELL = 60
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
    width = None if is_terminal else _WIDE
    return Console(file=stream, width=width, soft_wrap=not is_terminal, emoji=False)


def show(text: str, style: str | None = None) -> None:
    """Print a text as it is to standard output."""
    stdout_console().print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def say(text: str, style: str | None = None) -> None:
    """Print a text as it is to standard error."""
    stderr_console().print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Write one line of JSON to standard output."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def plain(value: object) -> object:
    """A JSON-serializable form: ISO dates, hex bytes, decimals as text, non-finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return "0x" + bytes(value).hex()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def local_time(moment: datetime) -> str:
    """An aware moment in this machine's time zone, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _short(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def rows_table(
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    title: str = "",
    *,
    cell: Callable[[object], str] = _short,
) -> Table:
    """Rows under their column names; numbers to the right, long values cut.

    `cell` words the values other than NULL and bytes; by default numbers have five digits.
    """
    rows = [list(row) for row in rows]
    table = Table(
        title=f"\n{title}" if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for index, name in enumerate(names):
        numeric = all(
            isinstance(row[index], (int, float, type(None))) or row[index] == "" for row in rows
        )
        table.add_column(name, justify="right" if numeric and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*[_cell(value, cell) for value in row])
    return table


def _cell(value: object, word: Callable[[object], str]) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    if isinstance(value, (bytes, bytearray)):
        return Text(f"0x{bytes(value[:8]).hex()}... ({len(value):,} bytes)")
    text = word(value)
    return Text(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 3] + "...")
