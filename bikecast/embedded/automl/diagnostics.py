"""The tables behind a job's plots: holdout rows and residuals by group."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from bikecast.core.spec import ModelSpec
from bikecast.embedded.automl.data import Dataset

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
#: More holdout rows than this are not listed.
MAX_LISTED = 5000
MAX_GROUPS = 40

Groups = list[tuple[str, np.ndarray]]


def holdout_rows(
    spec: ModelSpec, data: Dataset, rows: np.ndarray, predicted: np.ndarray
) -> list[dict[str, object]]:
    """One dict a holdout row: the time key if there is one, `actual` and `predicted`."""
    listed = []
    for row, value in list(zip(rows.tolist(), predicted.tolist(), strict=True))[:MAX_LISTED]:
        entry: dict[str, object] = {}
        if spec.time_key is not None and data.time_labels is not None:
            entry[spec.time_key] = data.time_labels[row]
        entry["actual"] = float(data.target[row])
        entry["predicted"] = round(value, 6)
        listed.append(entry)
    return listed


def residual_groups(
    spec: ModelSpec, data: Dataset, rows: np.ndarray, predicted: np.ndarray
) -> tuple[str, Groups]:
    """What residuals (predicted minus actual) are grouped by, and the groups in order.

    Months where the time key is a day (years where there are many), tenths of the order in time
    for other time keys, else the first segment, else fifths of the prediction.
    """
    residuals = predicted - data.target[rows]
    if data.time_labels is not None and data.time is not None:
        labels = [data.time_labels[row] for row in rows]
        if all(_ISO_DAY.match(label) for label in labels):
            months = [label[:7] for label in labels]
            if len(set(months)) <= MAX_GROUPS:
                return "month", _grouped(months, residuals)
            return "year", _grouped([label[:4] for label in labels], residuals)
        return f"tenth of {spec.time_key}", _grouped(_parts(data.time[rows], 10), residuals)
    if spec.segments:
        name = spec.segments[0]
        words: Mapping[int | str, str] = spec.labels.get(name, {})
        values = [_word(value, words) for value in data.values[name][rows].tolist()]
        if len(set(values)) <= MAX_GROUPS:
            return name, _grouped(values, residuals)
    return "fifth of the prediction", _grouped(_parts(predicted, 5), residuals)


def residual_table(groups: Groups) -> list[dict[str, object]]:
    """One dict a group: rows, mean and standard deviation of the residuals."""
    return [
        {
            "group": name,
            "rows": len(residuals),
            "mean": float(residuals.mean()),
            "sd": float(residuals.std()),
        }
        for name, residuals in groups
    ]


def _grouped(labels: list[str], residuals: np.ndarray) -> Groups:
    array = np.array(labels, dtype=object)
    return [(name, residuals[array == name]) for name in sorted(set(labels))]


def _parts(values: np.ndarray, parts: int) -> list[str]:
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return [f"{int(rank * parts // len(values)) + 1:02d}" for rank in ranks]


def _word(value: object, words: Mapping[int | str, str]) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, str)):
        return words.get(value, str(value))
    return str(value)
