"""Numbers that can be read in two ways: decimal, or whole with a separator of thousands."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column
from resources.lake.csv_problems import numbered_rows
from resources.lake.dialect import Dialect
from resources.lake.values import BLANKS, INTEGER_BITS

_FLOATS = ""


class DecimalMarks:
    """Looks for such numbers block by block, and for values that settle what the mark means.

    A float is settled by a float of any column (`0.5`, `12.34`); a whole number only by one of its
    own column (`331.0`, `1234.000`), because a file may well have decimals and thousands.
    """

    def __init__(self, dialect: Dialect, source_name: str) -> None:
        self._dialect = dialect
        self._source_name = source_name
        self._settled = {_FLOATS} if dialect.floats_settled else set()
        self._places: dict[str, str] = {}

    def are_due(self, block: bytes) -> bool:
        """Whether the texts of the block's floats have to be looked at."""
        return _FLOATS not in self._settled and self._dialect.decimal.encode() in block

    def add(self, texts: pa.ChunkedArray, column: Column, block: bytes, line: int) -> None:
        """Look at the fields of a column of the block that begins at this line."""
        is_whole = column.sql_type in INTEGER_BITS
        if column.sql_type not in ("real", "float") and not is_whole:
            return
        group = column.name if is_whole else _FLOATS
        if group in self._settled or (is_whole and self._dialect.integers_settled):
            return
        mark = re.escape(self._dialect.decimal)
        decimals = "000" if is_whole else "[0-9]{3}"
        either = rf"^[+-]?[1-9][0-9]{{0,2}}{mark}{decimals}$"
        texts = pc.utf8_trim(texts, BLANKS)
        marked = texts.filter(
            pc.match_substring_regex(texts, rf"^[+-]?[0-9]*{mark}[0-9]+(?:[eE][+-]?[0-9]+)?$")
        )
        if not len(marked):
            return
        doubtful = pc.match_substring_regex(marked, either)
        if not pc.all(doubtful).as_py():
            self._settled.add(group)
        elif group not in self._places:
            self._places[group] = self._place(column, either, block, line)

    def check(self, columns: Sequence[Column]) -> None:
        """Raise InvalidInput with the first number that no other value settled."""
        for group in (_FLOATS, *(column.name for column in columns)):
            if group in self._places and group not in self._settled:
                mark = "point" if self._dialect.decimal == "." else "comma"
                other = "comma" if mark == "point" else "point"
                raise InvalidInput(
                    f"{self._source_name}, {self._places[group]} is a decimal number or has a "
                    f"separator of thousands; say --decimal {mark} if the {mark} is the decimal "
                    f"mark, else remove the separators (and say --decimal {other} where decimals "
                    "have that)"
                )

    def _place(self, column: Column, either: str, block: bytes, line: int) -> str:
        at = self._dialect.names.index(column.name)
        for number, row in numbered_rows(block, line, self._dialect.delimiter):
            if at < len(row) and re.match(either, row[at].strip(BLANKS)):
                return f"line {number}, column {column.name}: {row[at]!r}"
        return f"column {column.name}: a number"
