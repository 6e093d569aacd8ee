"""Plots that the assets show in the UI."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from assets.live_model.comparison import Comparison
from bikecast.core.spec import ModelSpec


def forecast_plot(spec: ModelSpec, rows: Sequence[Mapping[str, object]]) -> bytes:
    """The predictions as bars in row order, as PNG bytes; labelled by the time key if there is one.

    `rows` are dicts with `forecast_row`, the keys and the spec's output column.
    """
    from matplotlib.figure import Figure

    key = spec.time_key
    labels = [str((row.get(key) if key else None) or row["forecast_row"]) for row in rows]
    values = [float(str(row[spec.output])) for row in rows]
    figure = Figure(figsize=(8, 3.2), dpi=80, layout="constrained")
    axes = figure.subplots()
    positions = range(len(values))
    axes.bar(positions, values, color="#4f6bed")
    step = max(1, len(labels) // 31)
    axes.set_xticks(list(positions)[::step], labels[::step], rotation=45, ha="right", fontsize=8)
    axes.set_ylabel(spec.target.name)
    axes.set_title(f"{spec.predictions_table}: {len(values)} rows")
    axes.spines[["top", "right"]].set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def segments_plot(spec: ModelSpec, found: Comparison, live: int) -> bytes:
    """RMSE of champion and challenger, over all rows and a segment, as PNG bytes."""
    from matplotlib.figure import Figure

    labels = ["all", *(f"{each.feature} {each.value}" for each in found.segments)]
    champion = [found.champion_rmse, *(each.champion_rmse for each in found.segments)]
    challenger = [found.challenger_rmse, *(each.challenger_rmse for each in found.segments)]
    figure = Figure(figsize=(8, 3.2), dpi=80, layout="constrained")
    axes = figure.subplots()
    places = range(len(labels))
    axes.bar([place - 0.2 for place in places], champion, 0.4, label="champion", color="#9aa5b8")
    axes.bar(
        [place + 0.2 for place in places], challenger, 0.4, label="challenger", color="#4f6bed"
    )
    axes.set_xticks(list(places), labels, rotation=30, ha="right", fontsize=8)
    axes.set_ylabel(f"RMSE, {spec.target.name}")
    axes.set_title(f"Latest {found.rows} rows; live now: version {live}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def bars_plot(title: str, values: Mapping[str, float], limit: float) -> bytes:
    """Named values as bars with a line at the limit, as PNG bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=80, layout="constrained")
    axes = figure.subplots()
    places = range(len(values))
    axes.bar(places, list(values.values()), color="#4f6bed")
    axes.axhline(limit, color="#c0392b", linewidth=1)
    axes.set_xticks(list(places), list(values), rotation=30, ha="right", fontsize=8)
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
