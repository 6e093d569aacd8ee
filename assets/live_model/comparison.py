"""Challenger against champion on the same rows: is the difference more than noise?

The rows are the latest of the training table. A model that was trained on some of them looks
better there than it is, so its errors on those rows are scaled up by what learning rows by heart
gave it: the RMSE that its training job measured on rows it had held back, over the RMSE on the
same rows once it had learnt them too. Being a ratio on the same rows, it does not depend on how
hard these rows were. The interval is
that of a paired circular block bootstrap (Politis and Romano 1992): blocks, because neighbouring
days resemble each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class PromotionRules:
    """When a challenger is good enough."""

    holdout_share: float = 0.2
    """The latest share of the training table that both models are scored on."""
    confidence: float = 0.95
    min_gain: float = 0.01
    """A smaller change of RMSE, relative to the champion's, is none, however sure."""
    resamples: int = 2000
    block_rows: int = 7
    min_spearman: float = 0.1
    """Floor of the challenger's own held-back rank correlation: below, it ranks like chance."""
    max_segment_loss: float = 0.25
    """Floor of a segment: how much larger than the champion's its RMSE may be, relatively."""
    min_segment_rows: int = 20
    """Smaller segments are shown and decide nothing."""
    seed: int = 0


@dataclass(frozen=True)
class Contender:
    """One model on the rows: predictions, which rows it was trained on, its held-back scores."""

    predicted: np.ndarray
    """float64 [rows]"""
    seen: np.ndarray
    """bool [rows]"""
    held_back_rmse: float | None = None
    held_back_spearman: float | None = None
    learnt_rmse: float | None = None
    """On the rows of `held_back_rmse`, by the finished model, which has learnt them too."""


@dataclass(frozen=True)
class Segment:
    """The models on the rows of one value of a feature; RMSE in the target's unit."""

    feature: str
    value: object
    rows: int
    champion_rmse: float
    challenger_rmse: float
    below_floor: bool


@dataclass(frozen=True)
class Comparison:
    """What was measured. `gain` is the champion's RMSE less the challenger's, with an interval."""

    rows: int
    seen_by_champion: int
    champion_rmse: float
    challenger_rmse: float
    gain: float
    low: float
    high: float
    is_better: bool = False
    """The challenger wins beyond noise, and by enough to matter."""
    is_worse: bool = False
    segments: tuple[Segment, ...] = ()
    broken_floors: tuple[str, ...] = ()
    is_flattered: bool = False
    """A model has seen some of the rows, and its error on rows held back is not known."""


def compare(
    target: np.ndarray,
    champion: Contender,
    challenger: Contender,
    segments: Mapping[str, Sequence[object]],
    rules: PromotionRules,
) -> Comparison:
    """Compare both on rows in time order; `segments` has the values of each segment feature."""
    import numpy as np

    rng = np.random.default_rng(rules.seed)
    old, new = _squared_errors(target, champion), _squared_errors(target, challenger)
    gain, low, high = _interval(old, new, rules, rng)
    measured = []
    for feature, values in segments.items():
        for value in sorted(set(values), key=str):
            rows = np.array([each == value for each in values])
            a, b = old[rows], new[rows]
            before, after = float(np.sqrt(a.mean())), float(np.sqrt(b.mean()))
            below = False
            if len(a) >= rules.min_segment_rows and after > before * (1 + rules.max_segment_loss):
                below = _interval(a, b, rules, rng)[2] < 0
            measured.append(Segment(feature, value, len(a), before, after, below))
    champion_rmse = float(np.sqrt(old.mean()))
    matters = abs(gain) >= rules.min_gain * champion_rmse
    return Comparison(
        rows=len(target),
        seen_by_champion=int(champion.seen.sum()),
        champion_rmse=champion_rmse,
        challenger_rmse=float(np.sqrt(new.mean())),
        gain=gain,
        low=low,
        high=high,
        is_better=matters and low > 0,
        is_worse=matters and high < 0,
        segments=tuple(measured),
        broken_floors=_broken_floors(challenger, measured, rules),
        is_flattered=any(m.seen.any() and not m.held_back_rmse for m in (champion, challenger)),
    )


def _squared_errors(target: np.ndarray, model: Contender) -> np.ndarray:
    """Squared errors, those of rows trained on scaled up by what learning them gave.

    Where the finished model's error on its held-back rows is not known, that on the rows seen
    here stands for it. Rows known by heart count as the held-back ones did.
    """
    import numpy as np

    errors: np.ndarray = np.square(target - model.predicted)
    if model.seen.any() and model.held_back_rmse:
        learnt = model.learnt_rmse
        if learnt is None:
            learnt = float(np.sqrt(errors[model.seen].mean()))
        if learnt > 0:
            errors[model.seen] *= max(1.0, model.held_back_rmse / learnt) ** 2
        else:
            errors[model.seen] = model.held_back_rmse**2
    return errors


def _interval(
    old: np.ndarray, new: np.ndarray, rules: PromotionRules, rng: np.random.Generator
) -> tuple[float, float, float]:
    """The RMSE gained, and the bootstrap interval of it."""
    import numpy as np

    rows = len(old)
    block = max(1, min(rules.block_rows, rows // 4))
    starts = rng.integers(0, rows, (rules.resamples, -(-rows // block)))
    index = (starts[:, :, None] + np.arange(block)).reshape(rules.resamples, -1)[:, :rows] % rows
    gains = np.sqrt(old[index].mean(axis=1)) - np.sqrt(new[index].mean(axis=1))
    tail = (1 - rules.confidence) / 2
    low, high = np.quantile(gains, [tail, 1 - tail])
    return float(np.sqrt(old.mean()) - np.sqrt(new.mean())), float(low), float(high)


def _broken_floors(
    challenger: Contender, segments: Sequence[Segment], rules: PromotionRules
) -> tuple[str, ...]:
    broken = []
    ranked = challenger.held_back_spearman
    if ranked is not None and ranked < rules.min_spearman:
        broken.append(
            f"its rank correlation on held-back rows is {ranked:.2f}, below {rules.min_spearman}"
        )
    broken += [
        f"{s.feature} = {s.value}: RMSE {s.challenger_rmse:.4g} against {s.champion_rmse:.4g}, "
        f"more than {rules.max_segment_loss:.0%} worse"
        for s in segments
        if s.below_floor
    ]
    return tuple(broken)
