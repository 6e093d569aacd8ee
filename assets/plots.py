"""Plots that the assets show in the UI, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GREY, _RED = "#4f6bed", "#9aa5b8", "#c0392b"


def forecast_plot(
    spec: ModelSpec,
    rows: Sequence[Mapping[str, object]],
    history: Sequence[tuple[str, float]] = (),
) -> bytes:
    """The predictions as bars in row order, labelled by the time key if there is one.

    `rows` are dicts with `forecast_row`, the keys and the spec's output column; `history` are the
    last days before them and their targets, drawn as a line. Rows without days are numbered, and
    stand alone.
    """
    key = spec.time_key
    if not key or any(row.get(key) is None for row in rows):
        history = ()
    values = [float(str(row[spec.output])) for row in rows]
    labels = [day for day, _ in history]
    labels += [str((row.get(key) if key else None) or row["forecast_row"]) for row in rows]
    figure, axes = figure_of(f"{spec.predictions_table}: {len(values)} rows")
    before = range(len(history))
    axes.plot(before, [value for _, value in history], color=GREY, label="measured", marker=".")
    axes.bar(range(len(history), len(labels)), values, color=BLUE, label="predicted")
    step = max(1, -(-len(labels) // 20))
    places = range(len(labels))
    axes.set_xticks(list(places)[::step], labels[::step], rotation=45, ha="right", fontsize=8)
    axes.set_ylabel(spec.target.name)
    if history:
        axes.legend(frameon=False)
    return png_of(figure)


def paired_bars_plot(
    title: str, unit: str, labels: Sequence[str], pair: Mapping[str, Sequence[float]]
) -> bytes:
    """Two named series side by side, with one value a label."""
    figure, axes = figure_of(title)
    places = range(len(labels))
    for (name, values), shift, colour in zip(pair.items(), (-0.2, 0.2), (GREY, BLUE), strict=True):
        axes.bar([place + shift for place in places], values, 0.4, label=name, color=colour)
    axes.set_xticks(list(places), labels, rotation=30, ha="right", fontsize=8)
    axes.set_ylabel(unit)
    axes.legend(frameon=False)
    return png_of(figure)


def bars_plot(title: str, values: Mapping[str, float], limit: float) -> bytes:
    """Named values as bars with a line at the limit."""
    figure, axes = figure_of(title)
    places = range(len(values))
    axes.bar(places, list(values.values()), color=BLUE)
    axes.axhline(limit, color=_RED, linewidth=1)
    axes.set_xticks(list(places), list(values), rotation=30, ha="right", fontsize=8)
    return png_of(figure)


def figure_of(title: str) -> tuple[Figure, Axes]:
    """A figure of the size and look of all, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=80, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def png_of(figure: Figure) -> bytes:
    """The figure as PNG."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
