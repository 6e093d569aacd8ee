"""The SQL type of the column with the predictions, and how a prediction becomes one."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DECIMAL = re.compile(r"decimal\((\d{1,2}), ?(\d{1,2})\)")
_MOST_DIGITS = 38
_PLAIN = ("real", "float", "int", "bigint")


@dataclass(frozen=True)
class OutputType:
    """A numeric SQL type that predictions, which a model returns as real, are stored in.

    Whole numbers and decimals are rounded, halves away from zero.
    """

    sql: str
    """real, float, int, bigint, or decimal(p, s) with up to 38 digits, s of them decimals."""

    @property
    def digits(self) -> tuple[int, int] | None:
        """Digits of a decimal, in all and behind the point; None for another type."""
        match = _DECIMAL.fullmatch(self.sql)
        return (int(match[1]), int(match[2])) if match else None

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return self.sql in ("int", "bigint")

    @property
    def rounding(self) -> float:
        """How far a stored prediction may be from the model's by rounding."""
        if self.is_whole:
            return 0.5
        digits = self.digits
        return 0.5 * 10.0 ** -digits[1] if digits else 0.0

    def converted(self, value: str) -> str:
        """The T-SQL expression that stores a value of type real; `value` is quoted SQL."""
        if self.sql == "real":
            return value
        return f"CAST({f'ROUND({value}, 0)' if self.is_whole else value} AS {self.sql})"


def output_type_problem(sql: str) -> str:
    """Why predictions cannot be stored in this SQL type; empty where they can."""
    digits = OutputType(sql).digits
    if sql in _PLAIN or (digits and 1 <= digits[0] <= _MOST_DIGITS and digits[1] <= digits[0]):
        return ""
    return (
        f"output_type {sql!r} is not one of {', '.join(_PLAIN)} and decimal(p, s) with at most "
        f"{_MOST_DIGITS} digits"
    )
