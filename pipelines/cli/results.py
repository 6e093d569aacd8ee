"""Result sets of the SQL pool as a table, as CSV or as JSON, with nothing lost."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Sequence

from bikecast.core.sql import ResultSet
from pipelines.cli.output import plain, print_json, rows_table, stdout_console

_QUOTED = re.compile(r'[",\r\n]|^$|^\s|\s$')


class ResultPrinter:
    """Prints result sets one after the other to standard output, as `table`, `csv` or `json`.

    CSV: NULL is an empty field and the empty text is `""`; an empty line stands between two
    results. JSON: an array a line; columns without a name of their own are numbered.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        self._printed = 0

    def print(self, result: ResultSet) -> None:
        """Print one result set."""
        names = [column.name for column in result.columns]
        if self._output == "json":
            unique = unique_names(names)
            print_json([dict(zip(unique, row, strict=True)) for row in result.rows])
        elif self._output == "csv":
            rows: list[Sequence[object]] = [names, *_rows(result)]
            lines = [",".join(map(_field, row)) for row in rows]
            sys.stdout.write("\n" * (self._printed > 0) + "".join(f"{line}\n" for line in lines))
        else:
            out = stdout_console()
            out.print(rows_table(names, _rows(result), cell=str))
            count = len(result.rows)
            out.print(f"({count} row{'s' * (count != 1)})", style="dim", highlight=False)
        self._printed += 1


def unique_names(names: Sequence[str]) -> list[str]:
    """Each name once: an unnamed third column is `column3`, a repeated `a` is `a_2`."""
    unique: list[str] = []
    for number, name in enumerate(names, start=1):
        base = mine = name or f"column{number}"
        count = 1
        while mine in unique or (mine != name and mine in names):
            count += 1
            mine = f"{base}_{count}"
        unique.append(mine)
    return unique


def _rows(result: ResultSet) -> list[list[object]]:
    """The rows as text shows them: bit as 1 and 0, real with the digits that it has."""
    types = [column.sql_type for column in result.columns]
    return [
        [_shown(value, sql_type) for value, sql_type in zip(row, types, strict=True)]
        for row in result.rows
    ]


def _shown(value: object, sql_type: str) -> object:
    if isinstance(value, bool):
        return int(value)
    if sql_type == "real" and isinstance(value, float):
        single = struct.pack("f", value)
        texts = (f"{value:.{digits}g}" for digits in range(6, 10))
        return next((float(t) for t in texts if struct.pack("f", float(t)) == single), value)
    return value


def _field(value: object) -> str:
    if value is None:
        return ""
    text = str(plain(value))
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
