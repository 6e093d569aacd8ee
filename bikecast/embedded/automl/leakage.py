"""What people should know of the data: possible leakage, and columns that are treated specially."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.folds import Split
from bikecast.embedded.automl.scores import spearman
from bikecast.embedded.automl.views import MAX_MEAN_CODES

#: A feature that ranks rows like the target does is probably made from it.
NEAR_TARGET = 0.985
#: A text whose groups explain this share of the target's variance, with several rows a group.
NEAR_TARGET_R2 = 0.985
#: A whole number or text with this share of different values names its row.
DISTINCT = 0.95
MIN_ROWS = 50
#: A target that a sum, difference or product of two features equals in this share of the rows.
MADE_OF = 0.99
#: Pairs are looked for among so many columns, on so many rows first.
MAX_PAIRED, SCREENED_ROWS = 60, 200
#: Relative difference that float32 leaves.
_EQUAL = 1e-5


def leakage_signs(data: Dataset, holdout: Split) -> list[dict[str, object]]:
    """Signs that scores may be too good: `finding`, `column` and `text` each."""
    signs = [*_near_target(data), *_made_of_features(data), *_identifiers(data)]
    repeated = repeated_rows(data, holdout)
    if repeated:
        rows = len(holdout[1])
        text = (
            f"{repeated} of {rows} holdout rows equal a searched row in every feature, so the "
            "holdout score may be too good"
        )
        signs.append({"finding": "repeated rows", "column": "", "text": text})
    return signs


def column_notes(data: Dataset) -> list[str]:
    """Columns that are all missing, constant, or have more categories than get an indicator."""
    notes = []
    for column in data.columns:
        array = data.values[column.name]
        if array.dtype == object:
            categories = {value for value in array.tolist() if value is not None}
            if len(categories) > MAX_MEAN_CODES:
                notes.append(
                    f"column {column.name!r} has {len(categories):,} categories: the "
                    f"{MAX_MEAN_CODES:,} most frequent ones are told apart, the rest are one group"
                )
            count = len(categories)
        else:
            numbers = array[~np.isnan(array)]
            count = 0 if not len(numbers) else 1 + int(np.ptp(numbers) > 0)
        if count == 0:
            notes.append(f"column {column.name!r} has no value in any row, so it tells nothing")
        elif count == 1:
            notes.append(f"column {column.name!r} has the same value in every row that has one")
    return notes


def repeated_rows(data: Dataset, split: Split) -> int:
    """How many of the second rows equal one of the first in every feature."""
    import pandas as pd

    frame = pd.DataFrame({column.name: data.values[column.name] for column in data.columns})
    keys = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return int(np.isin(keys[split[1]], keys[split[0]]).sum())


def _near_target(data: Dataset) -> Iterator[dict[str, object]]:
    for column in data.columns:
        array = data.values[column.name]
        if array.dtype == object:
            alike = _explained(array, data.target) >= NEAR_TARGET_R2
        else:
            valid = ~np.isnan(array)
            enough = valid.sum() >= MIN_ROWS
            alike = enough and abs(spearman(data.target[valid], array[valid])) >= NEAR_TARGET
        if alike:
            text = (
                f"column {column.name!r} nearly is the target; if it is not known when a "
                "prediction is wanted, leave it out"
            )
            yield {"finding": "near the target", "column": column.name, "text": text}


def _made_of_features(data: Dataset) -> Iterator[dict[str, object]]:
    """Two numbers whose sum, difference or product is the target: they are the answer."""
    numbers = {
        column.name: data.values[column.name].astype(np.float64)
        for column in data.columns
        if data.values[column.name].dtype != object and _varies(data.values[column.name])
    }
    names = list(numbers)[:MAX_PAIRED]
    if data.rows < MIN_ROWS:
        return
    rows = np.linspace(0, data.rows - 1, min(data.rows, SCREENED_ROWS)).astype(int)
    screened = {name: numbers[name][rows] for name in names}
    for first, second in combinations(names, 2):
        for sign, made in _combined(first, second, screened):
            if _share_equal(made, data.target[rows]) < MADE_OF:
                continue
            everywhere = dict(_combined(first, second, numbers))[sign]
            share = _share_equal(everywhere, data.target)
            if share >= MADE_OF:
                text = (
                    f"the target is {sign} in {100 * share:.4g}% of the rows; if these are not "
                    "known when a prediction is wanted, leave them out"
                )
                yield {"finding": "made of features", "column": f"{first}, {second}", "text": text}


def _combined(
    first: str, second: str, numbers: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    """Sum, differences and product by their formula."""
    left, right = numbers[first], numbers[second]
    yield f"{first} + {second}", left + right
    yield f"{first} - {second}", left - right
    yield f"{second} - {first}", right - left
    yield f"{first} x {second}", left * right


def _varies(array: np.ndarray) -> bool:
    known = array[~np.isnan(array)]
    return bool(len(known) and np.ptp(known) > 0)


def _share_equal(made: np.ndarray, target: np.ndarray) -> float:
    size = np.maximum(np.abs(made), np.abs(target))
    return float(np.mean(np.abs(made - target) <= _EQUAL * np.maximum(size, 1e-30)))


def _identifiers(data: Dataset) -> Iterator[dict[str, object]]:
    if data.rows < MIN_ROWS:
        return
    for column in data.columns:
        if column.sql_type in ("real", "float"):
            continue
        array = data.values[column.name]
        distinct = len(set(array.tolist()))
        if distinct >= DISTINCT * data.rows:
            text = (
                f"column {column.name!r} is different in {distinct} of {data.rows} rows, like an "
                "identifier; it helps no new row, leave it out or make it a key"
            )
            yield {"finding": "identifier", "column": column.name, "text": text}


def _explained(texts: np.ndarray, target: np.ndarray) -> float:
    """Share of the target's variance between the groups; 0 with fewer than 5 rows a group."""
    numbers: dict[object, int] = {}
    groups = np.array([numbers.setdefault(text, len(numbers)) for text in texts.tolist()])
    if len(numbers) * 5 > len(texts):
        return 0.0
    means = np.bincount(groups, weights=target) / np.bincount(groups)
    return float(np.var(means[groups]) / np.var(target))
