"""Folds: the splits that trials are scored on, the holdout and the time-ordered split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bikecast.embedded.automl.scores import objective, scores

REPEATS = 2
FOLDS = 5
#: Scores of folds smaller than this are too noisy to average, so the folds are pooled.
SMALL_FOLD = 10
#: On more rows than this one split is enough: its validation rows leave little noise, and are
#: scored in PARTS that tell how much. A split of many rows is raced on a sample of them first, so
#: that a configuration costs little until it is a finalist.
LARGE_ROWS = 5_000
SAMPLE_ROWS = 15_000
MAX_VALIDATION_ROWS = 10_000
PARTS = 5
HOLDOUT_SHARE = 0.2
Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Folds:
    """Repeated K-fold splits; `rows` (indices into the dataset) are those that are predicted.

    `growing` folds are one split, fitted on a sample of its rows and then on all of them: the
    score of a later repeat takes the place of an earlier one's.
    """

    rows: np.ndarray
    repeats: tuple[tuple[Split, ...], ...]
    growing: bool = False

    @classmethod
    def make(cls, rows: np.ndarray, seed: int) -> Folds:
        """2 repeats of 5 folds, shuffled by the seed; growing ones of a large table."""
        rng = np.random.default_rng([seed, 1])
        if len(rows) > LARGE_ROWS:
            order = rng.permutation(rows)
            size = min(len(rows) // FOLDS, MAX_VALIDATION_ROWS)
            part, rest = np.sort(order[:size]), order[size:]
            sizes = [SAMPLE_ROWS, len(rest)] if len(rest) > 2 * SAMPLE_ROWS else [len(rest)]
            repeats = tuple(((np.sort(rest[:n]), part),) for n in sizes)
            return cls(part, repeats, growing=True)
        repeated = []
        for _ in range(REPEATS):
            parts = [np.sort(part) for part in np.array_split(rng.permutation(rows), FOLDS)]
            repeated.append(tuple((np.setdiff1d(rows, part), part) for part in parts))
        return cls(rows, tuple(repeated))

    def only(self, repeat: int) -> Folds:
        """One repeat alone, as repeat 0."""
        return Folds(self.rows, (self.repeats[repeat],))

    def fit_rows(self, repeat: int) -> int:
        """How many rows a fit of the repeat sees."""
        return len(self.repeats[repeat][0][0])

    def scores(
        self, metric: str, target: np.ndarray, predicted: dict[int, list[np.ndarray]]
    ) -> np.ndarray:
        """One score a fold of each repeat in `predicted` (repeat -> predictions a fold).

        The one fold of a large table gives a score for each of its PARTS.
        """
        spread = float(np.ptp(target)) or 1.0
        result = []
        for repeat, predictions in sorted(predicted.items()):
            parts = [part for _, part in self.repeats[repeat]]
            if min(len(part) for part in parts) < SMALL_FOLD:
                parts, predictions = [np.concatenate(parts)], [np.concatenate(predictions)]
            if len(parts) == 1 and len(parts[0]) > LARGE_ROWS // FOLDS:
                places = [slice(first, None, PARTS) for first in range(PARTS)]
                parts, predictions = (
                    [each[0][place] for place in places] for each in (parts, predictions)
                )
            result += [
                objective(metric, target[part], prediction, spread)
                for part, prediction in zip(parts, predictions, strict=True)
            ]
        return np.array(result)

    def summary(
        self, target: np.ndarray, predicted: dict[int, list[np.ndarray]]
    ) -> dict[str, float]:
        """Spearman's mean over folds; RMSE and R2 of the out-of-fold predictions; rows."""
        result = scores(target[self.rows], self.out_of_fold(predicted))
        ranks = self.scores("spearman_correlation", target, predicted)
        return {**result, "spearman": float(ranks.mean())}

    def out_of_fold(self, predicted: dict[int, list[np.ndarray]]) -> np.ndarray:
        """Predictions of `rows` by models that did not see them, the mean over repeats."""
        total = np.zeros(int(self.rows.max()) + 1)
        for repeat, predictions in predicted.items():
            for (_, part), prediction in zip(self.repeats[repeat], predictions, strict=True):
                total[part] += prediction
        return np.asarray(total[self.rows] / len(predicted))


def holdout_split(rows: int, seed: int) -> Split:
    """80% of the rows for the search and 20% for its winner's score, at random by the seed."""
    order = np.random.default_rng([seed, 0]).permutation(rows)
    held = max(1, round(rows * HOLDOUT_SHARE))
    return np.sort(order[held:]), np.sort(order[:held])


def time_split(time: np.ndarray) -> Split | None:
    """The earliest 80% of the rows and the rest; rows of one time stay together.

    None where all rows have the same time.
    """
    order = np.argsort(time, kind="stable")
    first = time[order[min(len(time) - 1, round(len(time) * (1 - HOLDOUT_SHARE)))]]
    early, late = np.flatnonzero(time < first), np.flatnonzero(time >= first)
    return (early, late) if len(early) and len(late) else None
