"""Permutation importance: what the score loses when a feature's values are shuffled.

Computed on the holdout rows by models that did not see them (Breiman 2001; Fisher et al. 2019). A
blend is a weighted sum, so each member predicts the shuffled rows by itself, where it was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.models import FittedModel
from bikecast.embedded.automl.scores import objective

MAX_REPEATS = 5
#: Features times repeats times rows is held under this, so that the cost is bounded.
MAX_CELLS = 60_000
MIN_ROWS = 100


@dataclass(frozen=True)
class Shuffle:
    """Which holdout rows are shuffled (`positions` among them), how often, by which seed."""

    rows: np.ndarray
    positions: np.ndarray
    repeats: int
    seed: int

    @classmethod
    def plan(cls, held: np.ndarray, features: int, seed: int) -> Shuffle:
        """As many repeats and rows as MAX_CELLS allows, evenly spaced."""
        repeats = int(np.clip(MAX_CELLS // (features * len(held)), 1, MAX_REPEATS))
        most = max(MIN_ROWS, MAX_CELLS // (features * repeats))
        step = max(1, -(-len(held) // most))
        positions = np.arange(0, len(held), step)
        return cls(held[positions], positions, repeats, seed)

    def predictions(self, model: FittedModel, data: Dataset) -> np.ndarray:
        """The model's predictions, float64 [features, repeats, rows], one feature shuffled each."""
        plain = {column.name: data.values[column.name][self.rows] for column in data.columns}
        tiled = {name: np.tile(array, self.repeats) for name, array in plain.items()}
        size = len(self.rows)
        result = []
        for number, column in enumerate(data.columns):
            rng = np.random.default_rng([self.seed, 2, number])
            orders = [rng.permutation(size) for _ in range(self.repeats)]
            values = {**tiled, column.name: plain[column.name][np.concatenate(orders)]}
            predicted = model.predict(values, np.arange(size * self.repeats))
            result.append(predicted.reshape(self.repeats, size))
        return np.array(result)


def importances(
    metric: str, data: Dataset, shuffle: Shuffle, plain: np.ndarray, shuffled: np.ndarray
) -> list[dict[str, object]]:
    """One dict a feature, most important first: `feature`, `importance`, `sd`.

    `plain` are the predictions of the holdout rows and `shuffled` those of
    `Shuffle.predictions`. The importance is the mean loss of the primary metric.
    """
    target = data.target[shuffle.rows]
    spread = float(np.ptp(data.target)) or 1.0
    base = objective(metric, target, plain[shuffle.positions], spread)
    rows: list[dict[str, object]] = []
    for column, repeats in zip(data.columns, shuffled, strict=True):
        losses = np.array([base - objective(metric, target, one, spread) for one in repeats])
        rows.append(
            {
                "feature": column.name,
                "importance": round(float(losses.mean()), 6),
                "sd": round(float(losses.std()), 6),
            }
        )
    return sorted(rows, key=lambda row: (-float(str(row["importance"])), str(row["feature"])))
