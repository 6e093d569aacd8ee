"""Findings: suspicious values and rows of valid data, as texts for people; they never block."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core.spec import Column, ModelSpec, Treatment
from bikecast.core.suspicious import EXAMPLES, finding, places_text, rows_text

#: Scaled median absolute deviations from the median beyond which a value is an outlier.
OUTLIER_LIMIT = 6.0
#: Makes the median absolute deviation estimate a normal distribution's standard deviation.
_NORMAL_SCALE = 1.4826
_PARTS = re.compile("%[A-Za-z]")
_OTHER = {"%d": "%m", "%m": "%d"}


class SuspiciousValues:
    """Counts suspicious values block by block, with the keys of the first rows that have one.

    `treatment` says what happens to them (default: what the spec says).
    """

    def __init__(self, spec: ModelSpec, *, treatment: Treatment | None = None) -> None:
        self._spec = spec
        self._treatment = treatment or spec.suspicious_treatment
        self._rows = 0
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def add(self, table: pa.Table) -> None:
        """Count in some more rows."""
        for column in (*self._spec.features, self._spec.target):
            if not column.suspicious or column.name not in table.column_names:
                continue
            values = table[column.name]
            mask = pc.is_in(values, pa.array(column.suspicious).cast(values.type))
            if count := pc.sum(mask).as_py() or 0:
                self._counts[column.name] = self._counts.get(column.name, 0) + count
                places = self._places.setdefault(column.name, [])
                if len(places) < EXAMPLES:
                    places += _places(table, mask, self._spec.keys, self._rows)
        self._rows += table.num_rows

    def findings(self) -> tuple[str, ...]:
        """One text a column that has suspicious values."""
        return tuple(
            finding(column, count, self._places[column.name], self._treatment)
            for column in (*self._spec.features, self._spec.target)
            if (count := self._counts.get(column.name))
        )


class DayOrder:
    """Do a file's dates show which of their numbers is the day?

    A day above 12 does, and a row of the day after the row before it.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._open = [
            column
            for column in columns
            if column.sql_type == "date" and {"%d", "%m"} <= set(_PARTS.findall(column.date_format))
        ]
        self._differ: set[str] = set()

    def add(self, table: pa.Table) -> None:
        """Look at the dates of some more rows."""
        for column in list(self._open):
            dates = table[column.name].drop_null()
            days, months = pc.day(dates), pc.month(dates)
            follows = np.diff(dates.cast(pa.int32()).to_numpy()) == 1
            if (pc.max(days).as_py() or 0) > 12 or follows.any():
                self._open.remove(column)
            elif pc.any(pc.not_equal(days, months), min_count=0).as_py():
                self._differ.add(column.name)

    def in_doubt(self) -> list[Column]:
        """The columns whose dates would be others with day and month exchanged."""
        return [column for column in self._open if column.name in self._differ]

    @staticmethod
    def finding(source_name: str, column: Column) -> str:
        """What is said of a column in doubt that is not written in ISO format."""
        other = _PARTS.sub(lambda part: _OTHER.get(part[0], part[0]), column.date_format)
        return (
            f"{source_name}: column {column.name} is read by {column.date_format}, and no date in "
            f"it shows that this is right: no day is above 12, and no row is of the day after the "
            f"one before. If it is not: --date-format {other}"
        )


class Outliers:
    """Counts values far from the median of their column, block by block.

    Far is more than 6 scaled median absolute deviations, both of a sample of the rows. Columns
    with codes are not measured.
    """

    def __init__(self, spec: ModelSpec, sample: pa.Table) -> None:
        self._keys = spec.keys
        self._rows = 0
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}
        self._typical = {
            column.name: _centre_and_spread(sample[column.name])
            for column in (*spec.features, spec.target)
            if not column.codes
            and column.sql_type != "varchar"
            and column.name in sample.column_names
        }

    def add(self, table: pa.Table) -> None:
        """Count in some more rows."""
        for name, (centre, spread) in self._typical.items():
            if not spread:
                continue
            distance = pc.abs(pc.subtract(table[name].cast(pa.float64()), centre))
            mask = pc.greater(distance, OUTLIER_LIMIT * spread)
            if count := pc.sum(mask).as_py() or 0:
                self._counts[name] = self._counts.get(name, 0) + count
                places = self._places.setdefault(name, [])
                if len(places) < EXAMPLES:
                    places += _places(table, mask, self._keys, self._rows)
        self._rows += table.num_rows

    def findings(self) -> tuple[str, ...]:
        """One text a column that has outliers."""
        return tuple(
            f"{name}: {rows_text(count)} far from the typical {self._typical[name][0]:.4g}"
            f"{places_text(self._places[name][:EXAMPLES], count)}, kept"
            for name in self._typical
            if (count := self._counts.get(name))
        )


def _centre_and_spread(values: pa.ChunkedArray) -> tuple[float, float]:
    numbers = values.cast(pa.float64())
    centre = pc.quantile(numbers, 0.5)[0].as_py()
    if centre is None:
        return 0.0, 0.0
    deviation = pc.quantile(pc.abs(pc.subtract(numbers, centre)), 0.5)[0].as_py()
    return centre, _NORMAL_SCALE * deviation


def _places(
    table: pa.Table, mask: pa.ChunkedArray, keys: Sequence[Column], rows_before: int = 0
) -> list[str]:
    """The keys (or the numbers) of the first rows of a mask."""
    first = pc.indices_nonzero(mask).slice(0, EXAMPLES)
    names = [key.name for key in keys if key.name in table.column_names]
    names = [name for name in names if table[name].null_count == 0]
    if names:
        picked = table.select(names).take(first).to_pylist()
        return [" ".join(f"{name} {row[name]}" for name in names) for row in picked]
    return [f"row {rows_before + index + 1}" for index in first.to_pylist()]
