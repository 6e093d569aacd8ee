"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

LONGEST_CELL = 60


def rows_table(names: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """Rows under their column names; numbers to the right, long values cut."""
    rows = [list(row) for row in rows]
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(names):
        numeric = all(
            isinstance(row[index], (int, float, type(None))) or row[index] == "" for row in rows
        )
        table.add_column(name, justify="right" if numeric and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    return table


def _cell(value: object) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.5g}")
    if isinstance(value, (bytes, bytearray)):
        return Text(f"0x{bytes(value[:8]).hex()}... ({len(value):,} bytes)")
    text = str(value)
    return Text(text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 3] + "...")
