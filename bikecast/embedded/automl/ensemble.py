"""Greedy ensemble selection with replacement (Caruana et al., ICML 2004), with guards.

Selection on a rank metric alone ignores scale, so the blend's RMSE is guarded; and a single model
is preferred where the blend gains nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bikecast.embedded.automl.folds import Folds
from bikecast.embedded.automl.portfolio import ALGORITHMS, Configuration
from bikecast.embedded.automl.scores import rmse

MAX_CANDIDATES = 25
MAX_FAMILY = 4
MAX_MEMBERS = 8
MAX_ROUNDS = 20
#: Score differences below this are ties.
TIE = 0.001
#: A blend's RMSE may exceed the best single model's by this factor.
RMSE_GUARD = 1.02
#: A trial that ranks well but whose RMSE exceeds the best one's by this factor is no candidate.
SCALE_GUARD = 1.5

Predictions = dict[int, list[np.ndarray]]


@dataclass(frozen=True)
class Recipe:
    """The chosen members and their weights, which sum to 1."""

    members: tuple[tuple[Configuration, float], ...]

    def weight(self, name: str) -> float:
        """The weight of a trial, 0 where it is no member."""
        return sum(weight for member, weight in self.members if member.name == name)

    def only(self, names: Sequence[str]) -> Recipe:
        """The recipe reduced to some members, weights scaled to sum to 1."""
        kept = [(member, weight) for member, weight in self.members if member.name in names]
        total = sum(weight for _, weight in kept)
        return Recipe(tuple((member, weight / total) for member, weight in kept))

    def blend(self, predictions: Mapping[str, np.ndarray]) -> np.ndarray:
        """The weighted mean of the members' predictions, by name."""
        result: np.ndarray = sum(
            (weight * predictions[member.name] for member, weight in self.members),
            start=np.zeros(1),
        )
        return result


def choose(
    candidates: Sequence[tuple[Configuration, Predictions]],
    folds: Folds,
    metric: str,
    target: np.ndarray,
    *,
    prefer_simple: bool = True,
) -> Recipe:
    """Choose members by their out-of-fold predictions; deterministic.

    `candidates` holds at least one trial, all scored on the same repeats. `prefer_simple` takes
    the simplest option within one standard error of the best (`_simplest`).
    """
    scored = [
        (configuration, predictions, _judge(predictions, folds, metric, target))
        for configuration, predictions in candidates
    ]
    scored.sort(key=lambda entry: (-entry[2][0], entry[2][1], entry[0].name))
    limit = SCALE_GUARD * min(error for _, _, (_, error) in scored)
    pool = _diverse([entry for entry in scored if entry[2][1] <= limit])
    best_score, best_rmse = pool[0][2]
    limit = RMSE_GUARD * min(entry[2][1] for entry in pool)
    counts: Counter[int] = Counter()
    chosen: Counter[int] = Counter({0: 1})
    best = (best_score, best_rmse)
    blend: Predictions = {}
    options_seen = [_Option(Counter({i: 1}), entry[1], entry[2]) for i, entry in enumerate(pool)]
    for size in range(MAX_ROUNDS):
        options = []
        for index, (_, predictions, _) in enumerate(pool):
            if index not in counts and len(counts) >= MAX_MEMBERS:
                continue
            trial = _add(blend, predictions, size)
            score, error = _judge(trial, folds, metric, target)
            options.append((score, error, index, trial))
        allowed = [o for o in options if o[1] <= limit] if size else options
        if not allowed:
            break
        top = max(option[0] for option in allowed)
        tied = [option for option in allowed if option[0] >= top - TIE]
        score, error, index, blend = min(tied, key=lambda option: (option[1], option[2]))
        counts[index] += 1
        options_seen.append(_Option(counts.copy(), blend, (score, error)))
        if _better((score, error), best):
            best, chosen = (score, error), counts.copy()
    if len(chosen) > 1 and best[0] - best_score < TIE and best[1] > 0.99 * best_rmse:
        chosen = Counter({0: 1})
    if prefer_simple:
        families = [entry[0].family for entry in pool]
        chosen = _simplest(options_seen, chosen, families, folds, metric, target)
    total = sum(chosen.values())
    return Recipe(tuple((pool[index][0], n / total) for index, n in sorted(chosen.items())))


@dataclass(frozen=True)
class _Option:
    """Members by their number, the blend's predictions, and its (score, RMSE)."""

    counts: Counter[int]
    predictions: Predictions
    judged: tuple[float, float]


def _simplest(
    options: Sequence[_Option],
    chosen: Counter[int],
    families: Sequence[str],
    folds: Folds,
    metric: str,
    target: np.ndarray,
) -> Counter[int]:
    """The simplest option within one standard error of the chosen one.

    The error is that of the paired difference over folds: how hard a fold is cancels out; with
    one fold, that of a large table, it is TIE. Fewer members are simpler, then the families that
    score faster; the RMSE guard holds here too.
    """
    speed = list(ALGORITHMS)
    best = next(option for option in options if option.counts == chosen)
    best_scores = folds.scores(metric, target, best.predictions)

    def complexity(option: _Option) -> tuple[int, int, float]:
        members = sum(speed.index(families[index]) + 1 for index in option.counts)
        return len(option.counts), members, -option.judged[0]

    for option in sorted(options, key=complexity):
        lost = best_scores - folds.scores(metric, target, option.predictions)
        error = lost.std(ddof=1) / np.sqrt(len(lost)) if len(lost) > 1 else TIE
        if option.judged[1] <= RMSE_GUARD * best.judged[1] and lost.mean() <= error:
            return option.counts
    return chosen


def _better(new: tuple[float, float], old: tuple[float, float]) -> bool:
    """A higher score, or a tie with a smaller RMSE."""
    if abs(new[0] - old[0]) < TIE:
        return new[1] < old[1]
    return new[0] > old[0]


def _diverse(
    scored: Sequence[tuple[Configuration, Predictions, tuple[float, float]]],
) -> list[tuple[Configuration, Predictions, tuple[float, float]]]:
    """The best candidates, at most MAX_FAMILY of a family."""
    families: Counter[str] = Counter()
    result = []
    for entry in scored:
        families[entry[0].family] += 1
        if families[entry[0].family] <= MAX_FAMILY:
            result.append(entry)
    return result[:MAX_CANDIDATES]


def _add(blend: Predictions, predictions: Predictions, size: int) -> Predictions:
    """The mean of `size` predictions so far and one more."""
    if size == 0:
        return predictions
    return {
        repeat: [
            (old * size + new) / (size + 1)
            for old, new in zip(blend[repeat], predictions[repeat], strict=True)
        ]
        for repeat in predictions
    }


def _judge(
    predictions: Predictions, folds: Folds, metric: str, target: np.ndarray
) -> tuple[float, float]:
    """Mean score over folds, and the RMSE of the out-of-fold predictions."""
    score = float(folds.scores(metric, target, predictions).mean())
    return score, rmse(target[folds.rows], folds.out_of_fold(predictions))
