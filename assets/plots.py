"""Plots that the assets show in the UI, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _GREY, _RED = "#4f6bed", "#9aa5b8", "#c0392b"


def forecast_plot(spec: ModelSpec, rows: Sequence[Mapping[str, object]]) -> bytes:
    """The predictions as bars in row order, labelled by the time key if there is one.

    `rows` are dicts with `forecast_row`, the keys and the spec's output column.
    """
    key = spec.time_key
    labels = [str((row.get(key) if key else None) or row["forecast_row"]) for row in rows]
    values = [float(str(row[spec.output])) for row in rows]
    figure, axes = _figure(f"{spec.predictions_table}: {len(values)} rows")
    positions = range(len(values))
    axes.bar(positions, values, color=_BLUE)
    step = max(1, len(labels) // 31)
    axes.set_xticks(list(positions)[::step], labels[::step], rotation=45, ha="right", fontsize=8)
    axes.set_ylabel(spec.target.name)
    return _png(figure)


def paired_bars_plot(
    title: str, unit: str, labels: Sequence[str], pair: Mapping[str, Sequence[float]]
) -> bytes:
    """Two named series side by side, with one value a label."""
    figure, axes = _figure(title)
    places = range(len(labels))
    for (name, values), shift, colour in zip(
        pair.items(), (-0.2, 0.2), (_GREY, _BLUE), strict=True
    ):
        axes.bar([place + shift for place in places], values, 0.4, label=name, color=colour)
    axes.set_xticks(list(places), labels, rotation=30, ha="right", fontsize=8)
    axes.set_ylabel(unit)
    axes.legend(frameon=False)
    return _png(figure)


def bars_plot(title: str, values: Mapping[str, float], limit: float) -> bytes:
    """Named values as bars with a line at the limit."""
    figure, axes = _figure(title)
    places = range(len(values))
    axes.bar(places, list(values.values()), color=_BLUE)
    axes.axhline(limit, color=_RED, linewidth=1)
    axes.set_xticks(list(places), list(values), rotation=30, ha="right", fontsize=8)
    return _png(figure)


def _figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=80, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
