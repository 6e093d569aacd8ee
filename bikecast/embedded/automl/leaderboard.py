"""The leaderboard: one dict a trial, best first."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bikecast.embedded.automl.search import SearchResult
from bikecast.embedded.automl.trials import Trial

FIELDS = (
    "trial",
    "family",
    "view",
    "target_transform",
    "score",
    "score_sd",
    "rmse",
    "r2",
    "fit_rows",
    "seconds",
    "status",
    "ensemble_weight",
    "onnx_kb",
    "parity",
    "rows_per_second",
    "error",
)
ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class Exported:
    """An exported graph: its size, its distance from the native model, its speed."""

    kilobytes: float
    parity: float
    rows_per_second: int


def leaderboard(result: SearchResult, exported: Mapping[str, Exported]) -> list[dict[str, object]]:
    """The rows. `exported` maps a trial (or "ensemble") to what was measured of its graph.

    `score` is the primary metric's mean over folds (higher is better; an error is negated). An
    ensemble of several members is the first row, because it is what was chosen.
    """
    rows = [_row(trial, result, exported) for trial in result.trials]
    rows.sort(key=_order)
    if len(result.recipe.members) > 1:
        rows.insert(0, _ensemble_row(result, exported))
    return rows


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """The leaderboard as CSV with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def _row(trial: Trial, result: SearchResult, exported: Mapping[str, Exported]) -> dict[str, object]:
    name = trial.configuration.name
    return {
        "trial": name,
        "family": trial.configuration.family,
        "view": trial.configuration.view,
        "target_transform": trial.configuration.transform,
        "score": _rounded(trial.mean, 4),
        "score_sd": _rounded(trial.deviation, 4),
        "rmse": _rounded(trial.rmse, 3),
        "r2": _rounded(trial.r2, 4),
        "fit_rows": trial.fit_rows or None,
        "seconds": round(trial.seconds, 2),
        "status": trial.status,
        "ensemble_weight": round(result.recipe.weight(name), 4),
        **_measured(exported.get(name)),
        "error": trial.error,
    }


def _ensemble_row(result: SearchResult, exported: Mapping[str, Exported]) -> dict[str, object]:
    members = {member.name for member, _ in result.recipe.members}
    seconds = sum(t.seconds for t in result.trials if t.configuration.name in members)
    return {
        "trial": ENSEMBLE,
        "family": f"{len(members)} members",
        "view": "",
        "target_transform": "",
        "score": _rounded(result.score, 4),
        "score_sd": _rounded(result.deviation, 4),
        "rmse": _rounded(result.cv["rmse"], 3),
        "r2": _rounded(result.cv["r2"], 4),
        "fit_rows": result.scored.fit_rows(0),
        "seconds": round(seconds, 2),
        "status": "ok",
        "ensemble_weight": None,
        **_measured(exported.get(ENSEMBLE)),
        "error": "",
    }


def _measured(graph: Exported | None) -> dict[str, object]:
    if graph is None:
        return {"onnx_kb": None, "parity": None, "rows_per_second": None}
    return {
        "onnx_kb": graph.kilobytes,
        "parity": graph.parity,
        "rows_per_second": graph.rows_per_second,
    }


def _order(row: Mapping[str, object]) -> tuple[float, str]:
    score = row["score"]
    return (-score if isinstance(score, float) else math.inf, str(row["trial"]))


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
