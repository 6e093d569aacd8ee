"""What is said of suspicious values; nothing but words, so that a Spark pool loads it too."""

from __future__ import annotations

from collections.abc import Sequence

from bikecast.core.spec import Column, Treatment

#: Rows of which the keys are told.
EXAMPLES = 3
_TREATED = {"flag": "kept", "impute": "replaced by the column's typical value", "drop": "left out"}


def finding(column: Column, count: int, places: Sequence[str], treatment: Treatment) -> str:
    """How many rows have a suspicious value of a column, where the first are, and what is done."""
    suspicious = ", ".join(str(value) for value in column.suspicious)
    verb = "has" if count == 1 else "have"
    return (
        f"{column.name}: {rows_text(count)} {verb} the suspicious value {suspicious}"
        f"{places_text(places, count)}, {_TREATED[treatment]}"
    )


def places_text(places: Sequence[str], count: int) -> str:
    """The first places of `count`, in parentheses; empty where none is known."""
    if not places:
        return ""
    more = ", ..." if count > EXAMPLES else ""
    return f" ({', '.join(places[:EXAMPLES])}{more})"


def rows_text(count: int) -> str:
    """A number of rows in words."""
    return "1 row" if count == 1 else f"{count:,} rows"
