"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

LONGEST_CELL = 60


def rows_table(
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    title: str = "",
    *,
    cell: Callable[[object], str] | None = None,
) -> Table:
    """Rows under their column names; numbers to the right, long values cut.

    `cell` words the values other than NULL and bytes; by default numbers have five digits.
    """
    rows = [list(row) for row in rows]
    word = cell or _short
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
        table.add_row(*[_cell(value, word) for value in row])
    return table


def _cell(value: object, word: Callable[[object], str]) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    if isinstance(value, (bytes, bytearray)):
        return Text(f"0x{bytes(value[:8]).hex()}... ({len(value):,} bytes)")
    text = word(value)
    return Text(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 3] + "...")


def _short(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
