"""What the command line writes: results to standard output, all else to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, Annotated

import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pipelines.cli.streams import BY_NUMBER, ELLIPSIS

LONGEST_CELL = 60
_SHORT_CELL = 16
#: Blanks between two columns.
_GAP = 2
#: Columns for output that is no terminal; a table that needs more takes more. Lines of text are
#: never wrapped there.
_WIDE = 240
#: A column of numbers has this many digits from the first one of its largest number.
_DIGITS = 5
_BYTES = (bytes, bytearray)

Wide = Annotated[
    bool, typer.Option("--wide", help="Show all of every cell, however long the lines become.")
]


def stdout_console() -> Console:
    """For results."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """For progress, logs and errors."""
    return _console(sys.stderr)


def steady_stderr_console() -> Console:
    """Today's standard error, also while a step's output is being captured; to be closed."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    return _console(os.fdopen(os.dup(2), "w", buffering=1, encoding=encoding, errors=BY_NUMBER))


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


def print_table(
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    title: str = "",
    *,
    wide: bool = False,
    exact: bool = False,
    console: Console | None = None,
) -> None:
    """Print rows under their column names, to standard output by default.

    Cells that do not fit end in an ellipsis, and columns that have no room beside the first ones
    and the last are left out; both are said. With `wide` the lines become as long as they need.
    Outside of a terminal no column is narrowed.
    """
    console = console or stdout_console()
    rows = [list(row) for row in rows]
    longest = None if wide else LONGEST_CELL
    if console.is_terminal and not wide:
        shown = _with_room(console, names, rows, exact=exact)
        left_out = [name for index, name in enumerate(names) if index not in shown]
        names = [names[index] for index in shown]
        rows = [[row[index] for index in shown] for row in rows]
    else:
        left_out = []
    table = rows_table(names, rows, exact=exact, longest=longest)
    needed = _needed(console, table)
    if wide or not console.is_terminal:
        console.width = max(console.width, needed)
    texts = (str(value) for row in rows for value in row if not isinstance(value, _BYTES))
    is_cut = needed > console.width or (longest and any(len(text) > longest for text in texts))
    if title:  # in the table it would wrap at the table's width
        console.print(Text(f"\n{title}", style="italic"), soft_wrap=True)
    console.print(table)
    if is_cut:
        say(f"Cells that end in {ELLIPSIS} are cut; --wide shows all of them.", style="dim")
    if left_out:
        say(f"There is no room for {', '.join(left_out)}; --wide shows all columns.", style="dim")


def _needed(console: Console, table: Table) -> int:
    unlimited = console.options.update(max_width=10_000_000)
    return Measurement.get(console, unlimited, table).maximum


def _with_room(
    console: Console, names: Sequence[str], rows: Sequence[Sequence[object]], *, exact: bool
) -> list[int]:
    """The columns that have room with whole numbers and texts of _SHORT_CELL characters: the
    first ones and the last, in which results tend to stand."""
    widths = []
    for index, name in enumerate(names):
        values = [row[index] for row in rows]
        width = _needed(console, rows_table([name], [[value] for value in values], exact=exact))
        widths.append(width if _is_numeric(values) else min(width, _SHORT_CELL))
    shown = list(range(len(names)))
    while len(shown) > 2 and sum(widths[index] + _GAP for index in shown) - _GAP > console.width:
        del shown[-2]
    return shown


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print a title, and a line for each fact; those within a fact are named after it."""
    flat: dict[str, object] = {}
    for name, value in facts.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        flat |= {f"{name} {key}".strip(): item for key, item in inner.items()}
    width = max(24, *(len(name) for name in flat)) if flat else 0
    show(title, style="bold")
    for name, value in flat.items():
        show(f"  {name:<{width}} {_fact(value)}".rstrip())


def print_rows(title: str, rows: Sequence[Mapping[str, object]], *, wide: bool = False) -> None:
    """Print dicts of the same keys as a table, or that there are none."""
    if rows:
        names = list(rows[0])
        cells = [[_fact(row[name]) for name in names] for row in rows]
        print_table(names, cells, title, wide=wide)
    else:
        show(f"{title}: none")


def _fact(value: object) -> object:
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value


def rows_table(
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    title: str = "",
    *,
    exact: bool = False,
    longest: int | None = LONGEST_CELL,
) -> Table:
    """Rows under their column names; numbers to the right, of one precision a column.

    With `exact`, numbers have the digits that they have. Cells longer than `longest`, and those
    that the width has no room for, end in an ellipsis; texts are narrowed before numbers.
    """
    rows = [list(row) for row in rows]
    table = Table(
        title=Text(f"\n{title}") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    columns = []
    for index, name in enumerate(names):
        values = [row[index] for row in rows]
        numeric = _is_numeric(values)
        # Texts are narrowed before numbers, and before short ones such as dates.
        is_kept = numeric or all(len(str(value)) <= _SHORT_CELL for value in values)
        header = Text(name, no_wrap=True, overflow="ellipsis")
        table.add_column(
            header, justify="right" if numeric else "left", overflow="ellipsis", no_wrap=is_kept
        )
        word = str if exact else _of_one_precision(values)
        columns.append([_cell(value, word, longest) for value in values])
    for cells in zip(*columns, strict=True):
        table.add_row(*cells)
    return table


def _is_numeric(values: Sequence[object]) -> bool:
    return bool(values) and all(
        isinstance(value, (int, float, type(None))) or value == "" for value in values
    )


def _of_one_precision(values: Iterable[object]) -> Callable[[object], str]:
    """How the values of a column are worded: its numbers with equally many decimal places."""
    floats = [v for v in values if isinstance(v, float) and math.isfinite(v)]
    largest = max(map(abs, floats), default=0.0)
    if not floats:
        return str
    if largest and not 1e-4 <= largest < 1e15:
        form = f".{_DIGITS - 1}e"
    else:
        places = max(0, _DIGITS - 1 - math.floor(math.log10(largest))) if largest else 0
        while places and all(round(v, places) == round(v, places - 1) for v in floats):
            places -= 1
        form = f".{places}f"

    def word(value: object) -> str:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return format(value, form) if is_number else str(value)

    return word


def _cell(value: object, word: Callable[[object], str], longest: int | None) -> Text:
    if value is None:
        return Text("NULL", style="dim", no_wrap=True, overflow="ellipsis")
    if isinstance(value, _BYTES) and longest:
        text = f"0x{bytes(value[:8]).hex()}{ELLIPSIS} ({len(value):,} bytes)"
    elif isinstance(value, _BYTES):
        text = f"0x{bytes(value).hex()}"
    else:
        text = word(value)
        if longest and len(text) > longest:
            text = text[: longest - 1] + ELLIPSIS
    return Text(text, no_wrap=True, overflow="ellipsis")
