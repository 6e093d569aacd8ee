"""The plots of a job, as compact PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOR = "#4f6bed"
#: More points than this are thinned out evenly.
_MAX_POINTS = 3000
_MAX_BARS = 20


def plot_predicted(path: Path, actual: np.ndarray, predicted: np.ndarray, target: str) -> None:
    """Predicted against actual on the holdout rows."""
    figure, axes = _figure()
    step = max(1, -(-len(actual) // _MAX_POINTS))
    low = float(min(actual.min(), predicted.min()))
    high = float(max(actual.max(), predicted.max()))
    axes.plot([low, high], [low, high], color="#999999", linewidth=1)
    axes.scatter(actual[::step], predicted[::step], s=12, alpha=0.6, color=_COLOR, linewidths=0)
    axes.set_xlabel(f"actual {target}")
    axes.set_ylabel(f"predicted {target}")
    axes.set_title(f"Predicted against actual, {len(actual)} holdout rows")
    _save(figure, path)


def plot_residuals(
    path: Path, groups: Sequence[tuple[str, np.ndarray]], target: str, by: str
) -> None:
    """Residuals (predicted minus actual) of the holdout rows as one box a group."""
    figure, axes = _figure()
    axes.boxplot(
        [residuals for _, residuals in groups],
        widths=0.6,
        showfliers=len(groups) < 60,
        flierprops={"markersize": 3},
        medianprops={"color": _COLOR},
    )
    step = max(1, len(groups) // 16)
    positions = range(1, len(groups) + 1)
    labels = [name for name, _ in groups]
    axes.set_xticks(list(positions)[::step], labels[::step], rotation=45, ha="right", fontsize=8)
    axes.axhline(0, color="#999999", linewidth=1)
    axes.set_ylabel(f"predicted - actual {target}")
    axes.set_title(f"Residuals by {by}")
    _save(figure, path)


def plot_importance(path: Path, rows: Sequence[Mapping[str, object]], metric: str) -> None:
    """Permutation importance of the features, the most important on top, with deviations."""
    figure, axes = _figure()
    shown = list(rows[:_MAX_BARS])[::-1]
    axes.barh(
        [str(row["feature"]) for row in shown],
        [float(str(row["importance"])) for row in shown],
        xerr=[float(str(row["sd"])) for row in shown],
        color=_COLOR,
        ecolor="#999999",
    )
    axes.set_xlabel(f"loss of {metric} when shuffled")
    axes.set_title("Permutation importance, holdout rows")
    _save(figure, path)


def _figure() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), dpi=80, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    # No software tag, so that equal results give equal files.
    figure.savefig(path, format="png", metadata={"Software": None})
