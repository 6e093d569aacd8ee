"""Plots of the training table: the target over time, by codes and against measured features."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets.events import kept_metadata, latest_metadata
from assets.metadata import picture
from assets.plots import BLUE, figure_of, png_of
from bikecast.core.spec import Column, ModelSpec
from resources.lake.port import Lake
from resources.lake.tables import limits_of, open_table, open_table_if_any, sample_of

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes

#: Rows of a large table that the plots show, a sample.
MOST_POINTS = 3000
MOST_PANELS, MOST_CODES = 8, 31
HISTORY_DAYS = 28
OVER_TIME, BY_CODE, BY_MEASURE = "target_over_time", "target_by_code", "target_by_measure"


def training_plots(
    instance: dg.DagsterInstance, spec: ModelSpec, lake: Lake, data_version: str
) -> dict[str, dg.MetadataValue]:
    """The plots as metadata: those of the last time where the table has not changed since."""
    names = (OVER_TIME, BY_CODE, BY_MEASURE)
    if kept := kept_metadata(instance, spec.training_table, data_version, names):
        return kept
    columns = [column.name for column in spec.training_columns]
    dataset = open_table(lake, spec.training_table_path)
    table = sample_of(dataset, spec, columns, most=MOST_POINTS)
    return {
        name: picture(png, name.replace("_", " ").replace("target", spec.target.name))
        for name, png in table_plots(spec, table).items()
    }


def table_plots(spec: ModelSpec, table: pa.Table) -> dict[str, bytes]:
    """PNG files by metadata key; those that the columns give no reason for are left out."""
    plots = {}
    if spec.time_key is not None:
        plots[OVER_TIME] = _over_time(spec, spec.time_key, table)
    coded = [column for column in spec.features if _is_code(column, table)]
    measured = [
        column
        for column in spec.features
        if column not in coded and column.sql_type not in ("varchar", "date")
    ]
    if coded:
        plots[BY_CODE] = _panels(spec, coded, table, _boxes)
    if measured:
        plots[BY_MEASURE] = _panels(spec, measured, table, _points)
    return plots


def recent_targets(
    instance: dg.DagsterInstance,
    spec: ModelSpec,
    lake: Lake,
    rows: Sequence[Mapping[str, object]],
) -> list[tuple[str, float]]:
    """The mean target of each of the table's last HISTORY_DAYS days before those of `rows`.

    In order; empty for rows without days and while there is no table.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    key, dataset = spec.time_key, open_table_if_any(lake, spec.training_table_path)
    if key is None or dataset is None or not pa.types.is_date(dataset.schema.field(key).type):
        return []
    days = [dt.date.fromisoformat(str(row[key])) for row in rows if row.get(key) is not None]
    if not days or len(days) < len(rows):
        return []
    known = latest_metadata(instance, spec.training_table, "last_time")
    latest = dt.date.fromisoformat(known) if isinstance(known, str) else limits_of(dataset, key)[1]
    if latest is None:
        return []
    latest = min(latest, min(days) - dt.timedelta(days=1))
    recent = ds.field(key) > latest - dt.timedelta(days=HISTORY_DAYS)
    table = dataset.to_table(
        columns=[key, spec.target.name], filter=recent & (ds.field(key) <= latest)
    )
    means = table.group_by(key).aggregate([(spec.target.name, "mean")]).sort_by(key).to_pylist()
    return [(str(row[key]), float(row[f"{spec.target.name}_mean"])) for row in means]


def _is_code(column: Column, table: pa.Table) -> bool:
    if column.codes:
        return len(column.codes) <= MOST_CODES
    return column.sql_type == "varchar" and len(table[column.name].unique()) <= MOST_CODES


def _over_time(spec: ModelSpec, key: str, table: pa.Table) -> bytes:
    name = spec.target.name
    means = table.group_by(key).aggregate([(name, "mean")]).sort_by(key)
    figure, axes = figure_of(f"{name} over {key}")
    axes.plot(means[key].to_pylist(), means[f"{name}_mean"].to_pylist(), color=BLUE, linewidth=0.8)
    axes.set_ylabel(name)
    axes.tick_params(labelsize=8)
    return png_of(figure)


def _panels(
    spec: ModelSpec,
    columns: Sequence[Column],
    table: pa.Table,
    draw: Callable[[ModelSpec, Column, pa.Table, Axes], None],
) -> bytes:
    """One panel a column, four in a line."""
    import numpy as np
    from matplotlib.figure import Figure

    shown = columns[:MOST_PANELS]
    lines = -(-len(shown) // 4)
    width = min(4, len(shown))
    figure = Figure(figsize=(2.6 * width, 2.4 * lines), dpi=80, layout="constrained")
    panels = list(np.atleast_1d(np.asarray(figure.subplots(lines, width, sharey=True))).ravel())
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    for number, (column, axes) in enumerate(zip(shown, panels, strict=False)):
        draw(spec, column, table, axes)
        axes.set_title(column.name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if number % 4 == 0:
            axes.set_ylabel(spec.target.name, fontsize=8)
    return png_of(figure)


def _boxes(spec: ModelSpec, column: Column, table: pa.Table, axes: Axes) -> None:
    """The target's spread at each code."""
    values = table[column.name].to_pylist()
    targets = [float(value) for value in table[spec.target.name].to_pylist()]
    words = spec.labels.get(column.name, {})
    codes = sorted(set(values), key=lambda value: (str(type(value)), value))
    groups = [
        [target for value, target in zip(values, targets, strict=True) if value == code]
        for code in codes
    ]
    axes.boxplot(groups, widths=0.6, showfliers=False, medianprops={"color": BLUE})
    labels = [str(words.get(code, code)) for code in codes]
    labels = [each if len(each) <= 12 else f"{each[:11]}\N{HORIZONTAL ELLIPSIS}" for each in labels]
    rotation = 60 if max(map(len, labels)) > 2 else 0
    axes.set_xticks(range(1, len(codes) + 1), labels, rotation=rotation)


def _points(spec: ModelSpec, column: Column, table: pa.Table, axes: Axes) -> None:
    """The target against a measured feature."""
    measured, targets = table[column.name].to_numpy(), table[spec.target.name].to_numpy()
    axes.scatter(measured, targets, s=5, alpha=0.5, color=BLUE, linewidths=0)
