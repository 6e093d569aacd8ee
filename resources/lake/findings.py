"""Findings: suspicious values and rows of valid data, as texts for people; they never block."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core.spec import Column, ModelSpec, Treatment

_EXAMPLES = 3
#: Scaled median absolute deviations from the median beyond which a value is an outlier.
OUTLIER_LIMIT = 6.0
#: Makes the median absolute deviation estimate a normal distribution's standard deviation.
_NORMAL_SCALE = 1.4826
_TREATED = {"flag": "kept", "impute": "replaced by the column's typical value", "drop": "left out"}


def suspicious_findings(
    table: pa.Table, spec: ModelSpec, *, treatment: Treatment | None = None
) -> tuple[str, ...]:
    """One text a column that has suspicious values, with the keys of the first such rows.

    `treatment` says what happens to them (default: what the spec says).
    """
    findings = []
    for column in (*spec.features, spec.target):
        if not column.suspicious or column.name not in table.column_names:
            continue
        values = table[column.name]
        mask = pc.is_in(values, pa.array(column.suspicious).cast(values.type))
        count = pc.sum(mask).as_py() or 0
        if count:
            suspicious = ", ".join(str(value) for value in column.suspicious)
            verb = "has" if count == 1 else "have"
            treated = _TREATED[treatment or spec.suspicious_treatment]
            findings.append(
                f"{column.name}: {_rows(count)} {verb} the suspicious value {suspicious}"
                f"{_where(table, mask, spec.keys)}, {treated}"
            )
    return tuple(findings)


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
                f"{column.name}: {_rows(count)} far from the typical {centre:.4g}"
                f"{_where(table, mask, spec.keys)}, kept"
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


def _where(table: pa.Table, mask: pa.ChunkedArray, keys: Sequence[Column]) -> str:
    """The keys (or the numbers) of the first rows of a mask, in parentheses."""
    rows = pc.indices_nonzero(mask)
    first = rows.slice(0, _EXAMPLES)
    names = [key.name for key in keys if key.name in table.column_names]
    names = [name for name in names if table[name].null_count == 0]
    if names:
        picked = table.select(names).take(first).to_pylist()
        places = [" ".join(f"{name} {row[name]}" for name in names) for row in picked]
    else:
        places = [f"row {index + 1}" for index in first.to_pylist()]
    more = ", ..." if len(rows) > _EXAMPLES else ""
    return f" ({', '.join(places)}{more})"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
