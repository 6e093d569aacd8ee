"""Findings: suspicious values and rows of valid data, as texts for people; they never block."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core.spec import Column, ModelSpec, Treatment
from bikecast.core.suspicious import EXAMPLES, finding, places_text, rows_text

#: Scaled median absolute deviations from the median beyond which a value is an outlier.
OUTLIER_LIMIT = 6.0
#: Makes the median absolute deviation estimate a normal distribution's standard deviation.
_NORMAL_SCALE = 1.4826


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


def suspicious_findings(
    table: pa.Table, spec: ModelSpec, *, treatment: Treatment | None = None
) -> tuple[str, ...]:
    """The findings of `SuspiciousValues` for a whole table."""
    values = SuspiciousValues(spec, treatment=treatment)
    values.add(table)
    return values.findings()


def outlier_findings(table: pa.Table, spec: ModelSpec) -> tuple[str, ...]:
    """One text a measured column with outliers: values far from its median.

    Far is more than 6 scaled median absolute deviations. Columns with codes are not measured.
    """
    findings = []
    for column in (*spec.features, spec.target):
        if column.codes or column.sql_type == "varchar" or column.name not in table.column_names:
            continue
        centre, spread = _centre_and_spread(table[column.name])
        if not spread:
            continue
        distance = pc.abs(pc.subtract(table[column.name].cast(pa.float64()), centre))
        mask = pc.greater(distance, OUTLIER_LIMIT * spread)
        if count := pc.sum(mask).as_py() or 0:
            findings.append(
                f"{column.name}: {rows_text(count)} far from the typical {centre:.4g}"
                f"{places_text(_places(table, mask, spec.keys), count)}, kept"
            )
    return tuple(findings)


def repeated_rows(training: pa.Table, scoring: pa.Table, features: Sequence[str]) -> int:
    """How many scoring rows equal some training row in all features: a leak of known answers."""
    names = list(features)
    if not training.num_rows or not scoring.num_rows:
        return 0
    rows = scoring.select(names)
    distinct = training.select(names).cast(rows.schema).group_by(names).aggregate([])
    joined = rows.join(distinct, names, join_type="left semi", use_threads=False)
    return int(joined.num_rows)


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
