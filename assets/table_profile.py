"""What is in a table, column by column, in memory that does not grow with its rows.

Counts, ranges and histograms are DuckDB's own streaming aggregates (those of its SUMMARIZE) over
all rows; what needs rows beside each other (ranks, drift) takes a sample. docs/explore.md says why
no profiling library is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from assets.checks.drift import DriftLimits, columns_drift
from bikecast.core.row_sample import sample_rows
from bikecast.core.spec import Column, ModelSpec
from bikecast.core.sql import quoted
from bikecast.core.sql_types import arrow_schema
from resources.lake.queries import bounded_duckdb
from resources.lake.tables import SAMPLE_ROWS, blocks_of, reader_of

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

Kind = Literal["number", "code", "text", "date", "other"]
#: Bars of a histogram; of texts the most frequent ones.
BINS, MOST_TEXTS = 20, 10
#: Rows of which distinct values are counted one by one; it takes memory by the value.
MOST_EXACT = 1_000_000


@dataclass(frozen=True)
class ColumnProfile:
    """One column: `missing` and `distinct` count rows, `least` to `greatest` rank. Above
    MOST_EXACT rows `distinct` is approximate.

    `bars` has rows by label: of codes and texts the value, else the interval's upper end.
    `with_target` is Spearman's correlation, or for codes and texts the correlation ratio (Fisher
    1925): the root of the share of the target's variance that lies between the groups. `psi` is
    the stability index against an earlier version. None: there is nothing to compare.
    """

    name: str
    type: str
    kind: Kind
    missing: int
    distinct: int
    least: Any = None
    lower: Any = None
    median: Any = None
    upper: Any = None
    greatest: Any = None
    mean: float | None = None
    deviation: float | None = None
    bars: Mapping[str, int] = field(default_factory=dict)
    with_target: float | None = None
    psi: float | None = None
    drifted: bool = False


@dataclass(frozen=True)
class TableProfile:
    """A table. `sampled` rows were looked at for `with_target` and `psi`."""

    name: str
    rows: int
    sampled: int
    target: str | None
    compared: str | None
    """What the drift is against; None where there was nothing."""
    columns: tuple[ColumnProfile, ...]


def profile_of(
    table: ds.Dataset | pa.Table,
    name: str,
    spec: ModelSpec,
    *,
    columns: Sequence[str] | None = None,
    before: ds.Dataset | None = None,
    compared: str | None = None,
) -> TableProfile:
    """The profile of a table's `columns` (None: all); what the spec knows of them is used.

    `before` is the version to compare with, called `compared`. Both are read as streams.
    """
    import pyarrow as pa

    schema = pa.schema([each for each in table.schema if columns is None or each.name in columns])
    known = {column.name: column for column in spec.training_columns}
    kinds = {each.name: _kind(each.type, known.get(each.name)) for each in schema}
    measured = [c for c in schema.names if kinds[c] != "other"]
    with bounded_duckdb() as database:
        facts = _facts(database, table, kinds)
        bars = _bars(database, table, kinds, facts)
    rows = int(facts.pop("")["rows"])
    keys = [key for key in spec.key_names if key in measured]
    sample = _sample(table, measured, keys)
    target = spec.target.name if spec.target.name in measured else None
    related = _relations(sample, kinds, target)
    drift = _drift(sample, before, known, keys, kinds, spec) if before is not None else {}
    profiles = tuple(
        ColumnProfile(
            name=each.name,
            type=_type(each, known.get(each.name)),
            kind=kinds[each.name],
            bars=bars.get(each.name, {}),
            with_target=related.get(each.name),
            psi=drift[each.name][0] if each.name in drift else None,
            drifted=drift[each.name][1] if each.name in drift else False,
            **facts[each.name],
        )
        for each in schema
    )
    return TableProfile(name, rows, sample.num_rows, target, compared if drift else None, profiles)


def _kind(arrow: pa.DataType, column: Column | None) -> Kind:
    import pyarrow.types as types

    if column is not None and column.codes:
        return "code"
    if types.is_boolean(arrow):
        return "code"
    if types.is_integer(arrow) or types.is_floating(arrow) or types.is_decimal(arrow):
        return "number"
    if types.is_string(arrow) or types.is_large_string(arrow):
        return "text"
    return "date" if types.is_date(arrow) or types.is_timestamp(arrow) else "other"


def _type(field: pa.Field, column: Column | None) -> str:
    """The spec's type where the table has that, else Arrow's."""
    if column is not None and arrow_schema((column,)).types == [field.type]:
        return column.sql_declaration
    return str(field.type)


def _facts(
    database: duckdb.DuckDBPyConnection, table: ds.Dataset | pa.Table, kinds: Mapping[str, Kind]
) -> dict[str, dict[str, Any]]:
    """The numbers of each column by the names of ColumnProfile, and under "" the rows."""
    asked: list[tuple[str, str, str]] = [("", "rows", "count(*)")]
    rows = table.count_rows() if hasattr(table, "count_rows") else table.num_rows
    distinct = "count(DISTINCT {})" if rows <= MOST_EXACT else "approx_count_distinct({})"
    for name, kind in kinds.items():
        value = quoted(name)
        asked.append((name, "missing", f"count(*) - count({value})"))
        asked.append((name, "distinct", distinct.format(value) if kind != "other" else "0"))
        if kind == "other":
            continue
        # Infinite numbers have no place in a mean or a histogram.
        finite = f" FILTER (isfinite({value}::DOUBLE))" if kind == "number" else ""
        asked += [(name, "least", f"min({value}){finite}")]
        asked += [(name, "greatest", f"max({value}){finite}")]
        if kind in ("number", "date"):
            for part, share in (("lower", 0.25), ("median", 0.5), ("upper", 0.75)):
                asked.append((name, part, f"approx_quantile({value}, {share}){finite}"))
        if kind == "number":
            asked.append((name, "mean", f"avg({value}){finite}"))
            asked.append((name, "deviation", f"stddev_samp({value}::DOUBLE){finite}"))
    answer = _ask(database, table, list(kinds), [expression for *_, expression in asked])
    facts: dict[str, dict[str, Any]] = {"": {}, **{name: {} for name in kinds}}
    for (name, part, _), value in zip(asked, answer, strict=True):
        facts[name][part] = value
    for name in kinds:  # the approximation may be above what can be
        most = facts[""]["rows"] - facts[name]["missing"]
        facts[name]["distinct"] = min(facts[name]["distinct"], most)
    return facts


def _bars(
    database: duckdb.DuckDBPyConnection,
    table: ds.Dataset | pa.Table,
    kinds: Mapping[str, Kind],
    facts: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, int]]:
    """The rows by value or interval of each column that has values."""
    asked: dict[str, str] = {}
    edges: dict[str, list[float]] = {}
    for name, kind in kinds.items():
        if kind == "other" or facts[name]["least"] is None:
            continue
        if kind == "date" and isinstance(facts[name]["greatest"], str):
            continue  # Python has no years beyond 9999
        value = quoted(name)
        if kind in ("code", "text"):
            asked[name] = (
                f"histogram({value}::VARCHAR)"
                if facts[name]["distinct"] <= 2 * BINS
                else f"approx_top_k({value}::VARCHAR, {MOST_TEXTS})"
            )
            continue
        if kind == "date":
            value = f"epoch({value}::TIMESTAMP)"
        edges[name] = _edges(_number(facts[name]["least"]), _number(facts[name]["greatest"]))
        asked[name] = f"histogram({value}::DOUBLE, {edges[name]})"
    if not asked:
        return {}
    answer = _ask(database, table, list(asked), list(asked.values()))
    bars = {}
    for (name, expression), counts in zip(asked.items(), answer, strict=True):
        if expression.startswith("approx_top_k"):
            bars[name] = _counted(database, table, name, counts)
        elif name in edges:
            bars[name] = _labelled(edges[name], counts, is_date=kinds[name] == "date")
        else:
            in_order = sorted(counts.items(), key=lambda each: _sortable(each[0]))
            bars[name] = {str(value): int(rows) for value, rows in in_order}
    return bars


def _edges(low: float, high: float) -> list[float]:
    """The upper ends of intervals of equal width."""
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return [high]
    whole = low == int(low) and high == int(high) and high - low < BINS
    count = int(high - low) + 1 if whole else BINS
    width = 1.0 if whole else (high - low) / count
    return (
        [low + width * n for n in range(count)]
        if whole
        else [
            *(low + width * (n + 1) for n in range(count - 1)),
            high,
        ]
    )


def _labelled(
    edges: Sequence[float], counts: Mapping[float, int], *, is_date: bool
) -> dict[str, int]:
    import datetime

    def label(edge: float) -> str:
        if is_date:
            moment = datetime.datetime.fromtimestamp(edge, datetime.UTC)
            return moment.date().isoformat()
        return f"{edge:.4g}"

    return {label(edge): int(counts.get(edge, 0)) for edge in edges}


def _counted(
    database: duckdb.DuckDBPyConnection,
    table: ds.Dataset | pa.Table,
    name: str,
    values: Sequence[str],
) -> dict[str, int]:
    """The rows of the most frequent texts, most frequent first, and of all others."""
    texts = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    [counts] = _ask(
        database, table, [name], [f"histogram_exact({quoted(name)}::VARCHAR, [{texts}])"]
    )
    named = {value: int(counts.get(value, 0)) for value in values}
    others = sum(counts.values()) - sum(named.values())
    ordered = dict(sorted(named.items(), key=lambda each: -each[1]))
    return {**ordered, **({"(others)": int(others)} if others else {})}


def _ask(
    database: duckdb.DuckDBPyConnection,
    table: ds.Dataset | pa.Table,
    columns: Sequence[str],
    expressions: Sequence[str],
) -> tuple[Any, ...]:
    """One row of aggregates, for which the table is read once."""
    import pyarrow as pa

    rows = table.select(columns) if isinstance(table, pa.Table) else reader_of(table, columns)
    database.register("profiled", rows)
    try:
        query = f"SELECT {', '.join(expressions)} FROM profiled"  # noqa: S608 # quoted names
        [row] = database.execute(query).fetchall()
    finally:
        database.unregister("profiled")
    return tuple(row)


def _sample(table: ds.Dataset | pa.Table, columns: Sequence[str], keys: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    schema = pa.schema([table.schema.field(name) for name in columns])
    blocks: Iterator[pa.Table] = (
        iter([table.select(columns)]) if isinstance(table, pa.Table) else blocks_of(table, columns)
    )
    return sample_rows(blocks, schema, list(keys) or columns, most=SAMPLE_ROWS)


def _relations(
    sample: pa.Table, kinds: Mapping[str, Kind], target: str | None
) -> dict[str, float | None]:
    """How each column goes with the target, see ColumnProfile."""
    if target is None:
        return {}
    related: dict[str, float | None] = {}
    for name in sample.column_names:
        if name == target:
            continue
        both = sample.select([name, target]).drop_null()
        if both.num_rows < 3:
            continue
        goal = both[target].cast("float64").to_numpy()
        if kinds[name] in ("code", "text"):
            related[name] = _ratio(both[name].to_numpy(zero_copy_only=False), goal)
        else:
            related[name] = _spearman(_numbers(both[name], kinds[name]), goal)
    return related


def _ratio(groups: np.ndarray, goal: np.ndarray) -> float | None:
    import numpy as np

    _, places = np.unique(groups.astype(str), return_inverse=True)
    sizes = np.bincount(places)
    between = np.sum(sizes * (np.bincount(places, goal) / sizes - goal.mean()) ** 2)
    total = np.sum((goal - goal.mean()) ** 2)
    return float(np.sqrt(between / total)) if total > 0 else None


def _spearman(values: np.ndarray, goal: np.ndarray) -> float | None:
    from scipy.stats import rankdata

    a, b = rankdata(values), rankdata(goal)
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / norm if norm else None


def _numbers(values: pa.ChunkedArray, kind: Kind) -> np.ndarray:
    import pyarrow as pa

    if kind == "date" and pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    elif kind == "date":
        values = values.cast(pa.timestamp("us")).cast(pa.int64())
    numbers: np.ndarray = values.cast(pa.float64()).to_numpy()
    return numbers


def _drift(
    sample: pa.Table,
    before: ds.Dataset,
    known: Mapping[str, Column],
    keys: Sequence[str],
    kinds: Mapping[str, Kind],
    spec: ModelSpec,
) -> dict[str, tuple[float, bool]]:
    """Stability index, and whether it is large, of the columns that both versions have."""
    columns = [
        known[name]
        for name in sample.column_names
        if name in known and name in before.schema.names and kinds[name] != "date"
    ]
    names = [column.name for column in columns]
    there = [key for key in keys if key in before.schema.names]
    old = _sample(before, list(dict.fromkeys([*names, *there])), there)
    limits = DriftLimits(psi=spec.thresholds.drift_psi)
    return {
        each.feature: (each.psi, each.drifted)
        for each in columns_drift(columns, old, sample, limits)
    }


def _number(value: Any) -> float:
    import datetime

    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=value.tzinfo or datetime.UTC).timestamp()
    if isinstance(value, datetime.date):
        return datetime.datetime(
            value.year, value.month, value.day, tzinfo=datetime.UTC
        ).timestamp()
    return float(value)


def _sortable(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return math.inf, text
