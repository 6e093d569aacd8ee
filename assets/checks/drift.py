"""Drift of rows to score against the training data: PSI and Kolmogorov-Smirnov.

The population stability index of n against m rows in B bins is about (B - 1) (1/n + 1/m) where
nothing has changed (Yurdakul 2018), so that much is taken off before it is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bikecast.core.spec import Column, ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DriftLimits:
    """From where on a feature has drifted."""

    psi: float = 0.25
    """The usual mark of a large shift."""
    ks_probability: float = 0.001
    """A measured feature must also differ by the two-sample Kolmogorov-Smirnov test."""
    bins: int = 10
    min_rows: int = 30
    """With fewer rows nothing can be told."""
    season_days: int = 15
    """Rows are compared with training rows of the same days of any year; where these are too
    few, with those at most so many days away."""


@dataclass(frozen=True)
class FeatureDrift:
    """One feature; `ks` and `probability` are None for codes and texts."""

    feature: str
    psi: float
    ks: float | None
    probability: float | None
    drifted: bool


def same_season(
    training: pa.Table, scoring: pa.Table, spec: ModelSpec, limits: DriftLimits
) -> pa.Table:
    """The training rows of the same time of the year, in any year, as the rows to score.

    All of them where rows carry no date, and where too few would be left: months and weather of
    one season always differ from those of whole years.
    """
    import pyarrow as pa

    key = spec.time_key
    if key is None or not pa.types.is_date(training.schema.field(key).type):
        return training
    if not scoring.num_rows or scoring[key].null_count:
        return training
    days = {day.timetuple().tm_yday for day in set(scoring[key].to_pylist())}
    training_days = [day.timetuple().tm_yday for day in training[key].to_pylist()]
    for margin in range(0, limits.season_days + 1, 5):
        near_days = {(day + shift) % 366 for day in days for shift in range(-margin, margin + 1)}
        near = [day % 366 in near_days for day in training_days]
        if sum(near) >= limits.min_rows:
            return training.filter(pa.array(near))
    return training


def feature_drift(
    training: pa.Table, scoring: pa.Table, spec: ModelSpec, limits: DriftLimits
) -> list[FeatureDrift]:
    """The drift of each feature; empty where there are too few rows to score."""
    return columns_drift(spec.features, training, scoring, limits)


def columns_drift(
    columns: Sequence[Column], before: pa.Table, after: pa.Table, limits: DriftLimits
) -> list[FeatureDrift]:
    """The drift of columns by the rows that have a value; empty where rows are too few."""
    if after.num_rows < limits.min_rows or before.num_rows < limits.min_rows:
        return []
    values = [(each, _values(before, each), _values(after, each)) for each in columns]
    return [_drift(each, old, new, limits) for each, old, new in values if len(old) and len(new)]


def _drift(column: Column, old: np.ndarray, new: np.ndarray, limits: DriftLimits) -> FeatureDrift:
    from scipy import stats

    if column.codes or column.sql_type == "varchar":
        bins = np.unique(np.concatenate([old, new]))
        before = np.array([np.sum(old == each) for each in bins], dtype=float)
        after = np.array([np.sum(new == each) for each in bins], dtype=float)
        psi = _psi(before, after)
        return FeatureDrift(column.name, psi, None, None, psi > limits.psi)
    edges = np.unique(np.quantile(old, np.linspace(0, 1, limits.bins + 1))[1:-1])
    size = len(edges) + 1
    before = np.bincount(np.searchsorted(edges, old, side="right"), minlength=size).astype(float)
    after = np.bincount(np.searchsorted(edges, new, side="right"), minlength=size).astype(float)
    psi = _psi(before, after)
    test = stats.ks_2samp(old, new)
    probability = float(test.pvalue)
    drifted = psi > limits.psi and probability < limits.ks_probability
    return FeatureDrift(column.name, psi, float(test.statistic), probability, drifted)


def _psi(before: np.ndarray, after: np.ndarray) -> float:
    """The index less what chance alone gives; empty bins count as half a row."""
    rows_before, rows_after = before.sum(), after.sum()
    old = np.maximum(before, 0.5) / rows_before
    new = np.maximum(after, 0.5) / rows_after
    psi = float(np.sum((new - old) * np.log(new / old)))
    chance = (len(before) - 1) * (1 / rows_before + 1 / rows_after)
    return float(max(0.0, psi - chance))


def _values(table: pa.Table, column: Column) -> np.ndarray:
    array = np.asarray(table[column.name].drop_null().to_numpy(zero_copy_only=False))
    return array.astype(str if column.sql_type == "varchar" else np.float64)
