"""Scores of predictions, and the metric that the search maximizes."""

from __future__ import annotations

import numpy as np

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import PRIMARY_METRICS


def spearman(target: np.ndarray, predicted: np.ndarray) -> float:
    """Spearman's rank correlation (ties by mean rank); 0 where either side is constant."""
    if np.ptp(target) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return _pearson(_ranks(target), _ranks(predicted))


def rmse(target: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean((target - predicted) ** 2)))


def r2(target: np.ndarray, predicted: np.ndarray) -> float:
    """Coefficient of determination; 0 where the target is constant."""
    spread = float(np.sum((target - target.mean()) ** 2))
    return 1.0 - float(np.sum((target - predicted) ** 2)) / spread if spread else 0.0


def scores(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Spearman, RMSE, R2 and the number of rows that they are computed on."""
    return {
        "spearman": spearman(target, predicted),
        "rmse": rmse(target, predicted),
        "r2": r2(target, predicted),
        "rows": len(target),
    }


def objective(metric: str, target: np.ndarray, predicted: np.ndarray, spread: float) -> float:
    """The metric with its sign turned so that more is better; `spread` is the target's range.

    Raises InvalidInput for an unknown metric.
    """
    if metric == "spearman_correlation":
        return spearman(target, predicted)
    if metric == "r2_score":
        return r2(target, predicted)
    if metric == "normalized_root_mean_squared_error":
        return -rmse(target, predicted) / spread
    if metric == "normalized_mean_absolute_error":
        return -float(np.mean(np.abs(target - predicted))) / spread
    raise InvalidInput(
        f"unknown primary metric {metric!r}; choose one of {', '.join(PRIMARY_METRICS)}. "
        "Nothing was trained."
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, ties by mean rank."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    start = np.flatnonzero(first)
    end = np.append(start[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = ((start + end - 1) / 2)[np.cumsum(first) - 1]
    return ranks


def _pearson(left: np.ndarray, right: np.ndarray) -> float:
    left = left - left.mean()
    right = right - right.mean()
    return float(left @ right / np.sqrt((left @ left) * (right @ right)))
