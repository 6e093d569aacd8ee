"""Honest scores: naive baselines on the same rows, bootstrap intervals, scores by segment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bikecast.core.spec import ModelSpec
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.folds import Split
from bikecast.embedded.automl.portfolio import Configuration
from bikecast.embedded.automl.scores import objective, r2, rmse, spearman

#: The second baseline: ridge regression on one-hot codes, without products or transform.
RIDGE = Configuration("ridge baseline", "ridge", "one_hot", "none", {"alpha": 1.0})
LEVEL = 0.95
_TAILS = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
RESAMPLES = 500
#: Larger tables get fewer resamples: their intervals are narrow anyway.
MAX_RESAMPLED = 1_000_000
MIN_RESAMPLES = 50
MAX_SEGMENTS = 40
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def mean_baseline(spec: ModelSpec, data: Dataset) -> tuple[str, np.ndarray]:
    """The naive forecast's name, and the group of each row whose mean it is.

    Month and weekday where the time key is a day, else the spec's segments, else one group.
    """
    labels = data.time_labels
    if labels is not None and all(_ISO_DAY.match(label) for label in labels):
        days = np.array([label[:10] for label in labels], dtype="datetime64[D]")
        months = days.astype("datetime64[M]").astype(int) % 12
        weekdays = (days.astype(int) + 4) % 7  # 1970-01-01 was a Thursday; Sunday is 0
        return "mean by month and weekday", months * 7 + weekdays
    if spec.segments:
        rows = zip(*(data.values[name].tolist() for name in spec.segments), strict=True)
        numbers: dict[str, int] = {}
        groups = [numbers.setdefault(repr(row), len(numbers)) for row in rows]
        return f"mean by {' and '.join(spec.segments)}", np.array(groups)
    return "mean of the target", np.zeros(data.rows, dtype=int)


def group_means(groups: np.ndarray, target: np.ndarray, split: Split) -> np.ndarray:
    """Predictions of the second rows: the mean of the first ones' group, else of all of them."""
    fit, predict = split
    size = int(groups.max()) + 1
    counts = np.bincount(groups[fit], minlength=size)
    sums = np.bincount(groups[fit], weights=target[fit], minlength=size)
    overall = target[fit].mean()
    means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return np.asarray(means[groups[predict]])


def intervals(
    target: np.ndarray, predicted: np.ndarray, seed: int, *, ordered: bool = False
) -> dict[str, list[float]]:
    """95% percentile bootstrap intervals of spearman, rmse and r2 (Efron 1979), by the seed.

    Rows are resampled one by one; `ordered` ones in circular blocks of the cube root of their
    number (Politis and Romano 1992), because neighbours in time have like errors.
    """
    resampled = []
    for chosen in _resamples(len(target), seed, ordered=ordered):
        pair = target[chosen], predicted[chosen]
        resampled.append((spearman(*pair), rmse(*pair), r2(*pair)))
    low, high = np.percentile(np.array(resampled), _TAILS, axis=0)
    names = ("spearman", "rmse", "r2")
    return {
        name: [round(float(a), 6), round(float(b), 6)]
        for name, a, b in zip(names, low, high, strict=True)
    }


def lead(
    metric: str,
    target: np.ndarray,
    predicted: np.ndarray,
    baseline: np.ndarray,
    seed: int,
    *,
    ordered: bool = False,
) -> tuple[float, float]:
    """95% bootstrap interval of how much better the prediction is than a baseline, paired.

    In the unit of the primary metric, more is better; resampled as in `intervals`.
    """
    spread = float(np.ptp(target)) or 1.0
    differences = [
        objective(metric, target[chosen], predicted[chosen], spread)
        - objective(metric, target[chosen], baseline[chosen], spread)
        for chosen in _resamples(len(target), seed, ordered=ordered)
    ]
    low, high = np.percentile(differences, _TAILS)
    return float(low), float(high)


def _resamples(rows: int, seed: int, *, ordered: bool) -> Iterator[np.ndarray]:
    """Row numbers of each bootstrap sample."""
    times = int(np.clip(MAX_RESAMPLED // rows, MIN_RESAMPLES, RESAMPLES))
    rng = np.random.default_rng([seed, 3])
    block = max(1, round(rows ** (1 / 3))) if ordered else 1
    blocks = -(-rows // block)
    for _ in range(times):
        starts = rng.integers(0, rows, blocks)
        yield ((starts[:, None] + np.arange(block)[None, :]) % rows).ravel()[:rows]


def score_table(
    kinds: Sequence[tuple[str, int, Mapping[str, Mapping[str, float]]]],
    intervals_of: Mapping[str, Mapping[str, list[float]]],
) -> list[dict[str, object]]:
    """One dict a kind of score and model, the product's model before its baselines.

    `kinds` has (kind, rows trained on, scores by model), the first model being the product's.
    Its score of a kind in `intervals_of` has its interval as text.
    """
    table: list[dict[str, object]] = []
    for kind, trained, models in kinds:
        for position, (model, score) in enumerate(models.items()):
            interval = intervals_of.get(kind, {}).get("spearman") if position == 0 else None
            table.append(
                {
                    "scored on": kind,
                    "model": model,
                    "spearman": round(score["spearman"], 4),
                    "95% interval": ""
                    if interval is None
                    else "{:.4f} to {:.4f}".format(*interval),
                    "rmse": round(score["rmse"], 4),
                    "r2": round(score["r2"], 4),
                    "rows trained on": trained,
                    "rows scored": int(score["rows"]),
                }
            )
    return table


def segment_scores(
    spec: ModelSpec, data: Dataset, rows: np.ndarray, predicted: np.ndarray
) -> list[dict[str, object]]:
    """One dict a value of each of the spec's segments: its scores on these rows."""
    table: list[dict[str, object]] = []
    for name in spec.segments:
        words = spec.labels.get(name, {})
        values = np.array(
            [_code(value) for value in data.values[name][rows].tolist()], dtype=object
        )
        for value in sorted(set(values), key=str)[:MAX_SEGMENTS]:
            chosen = values == value
            actual, forecast = data.target[rows][chosen], predicted[chosen]
            table.append(
                {
                    "segment": name,
                    "value": words.get(value, str(value)),
                    "rows": int(chosen.sum()),
                    "spearman": round(spearman(actual, forecast), 4),
                    "rmse": round(rmse(actual, forecast), 4),
                    "mean error": round(float((forecast - actual).mean()), 4),
                }
            )
    return table


def _code(value: object) -> int | str:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "missing" if value is None or value != value else str(value)
