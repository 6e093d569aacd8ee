"""The world outside: files that grow by a week at a time, and what goes wrong with them."""

import csv
import datetime as dt
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pipelines.sample.simulator import simulate

#: The first file ends on the last day of 2012; week 1 adds the seven days after it.
FIRST_FILE = dt.date(2012, 12, 31)
Row = dict[str, object]
Fault = Callable[[list[Row]], list[Row]]


@cache
def _days() -> list[Row]:
    return simulate(years=4).to_pylist()


def days_until(week: int) -> list[Row]:
    """The rows of the training file of a week, as copies."""
    last = FIRST_FILE + dt.timedelta(weeks=week)
    return [dict(row) for row in _days() if row["dteday"] <= last]


def forecast_days(week: int, days: int = 10) -> list[Row]:
    """The rows after those of a week, as copies, without rentals."""
    last = FIRST_FILE + dt.timedelta(weeks=week)
    rows = [dict(row) for row in _days() if row["dteday"] > last][:days]
    return [{k: v for k, v in row.items() if k not in ("instant", "yr", "rentals")} for row in rows]


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write a file as the lab's, all at once."""
    with path.with_suffix(".part").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            day = row.get("dteday")
            shown = f"{day.month}/{day.day}/{day.year}" if isinstance(day, dt.date) else day
            writer.writerow({**row, "dteday": shown})
    path.with_suffix(".part").rename(path)


def with_blank(rows: list[Row]) -> list[Row]:
    """A missing value in the last row."""
    rows[-1]["hum"] = ""
    return rows


def with_duplicate(rows: list[Row]) -> list[Row]:
    """The last day twice, with two numbers of rentals."""
    return [*rows, {**rows[-1], "rentals": 1}]


def with_renamed_column(rows: list[Row]) -> list[Row]:
    """The temperature under another name."""
    return [{("temperature" if k == "temp" else k): v for k, v in row.items()} for row in rows]


def with_new_column(rows: list[Row]) -> list[Row]:
    """A column that nobody knows."""
    return [{**row, "visibility": 1} for row in rows]


def with_columns_reversed(rows: list[Row]) -> list[Row]:
    """The same content, written in another order of columns."""
    return [dict(reversed(list(row.items()))) for row in rows]


def corrected(day: dt.date) -> Fault:
    """A day of the past has other rentals than were reported first."""

    def correct(rows: list[Row]) -> list[Row]:
        for row in rows:
            if row["dteday"] == day:
                row["rentals"] = int(str(row["rentals"])) + 25
        return rows

    return correct


def doubled_since(day: dt.date) -> Fault:
    """Twice the rentals from a day on: people's habits drift."""

    def drifted(rows: list[Row]) -> list[Row]:
        for row in rows:
            if row["dteday"] >= day:  # type: ignore[operator]
                row["rentals"] = 2 * int(str(row["rentals"]))
        return rows

    return drifted


def with_heat(rows: list[Row]) -> list[Row]:
    """A forecast far hotter than that time of the year ever was."""
    for row in rows:
        row["temp"] = min(float(str(row["temp"])) + 0.45, 1.5)
        row["atemp"] = min(float(str(row["atemp"])) + 0.45, 1.5)
    return rows
