"""A table's profile for people: rows of text, one picture, and a page of its own."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from assets.events import kept_metadata
from assets.metadata import markdown_table

if TYPE_CHECKING:
    from assets.table_profile import ColumnProfile, TableProfile
    from bikecast.core.spec import ModelSpec
    from resources.lake.port import Lake

#: Rows of a table up to which the asset's page has the profile of all of them.
MOST_ROWS = 1_000_000
_BLOCKS = "▁▂▃▄▅▆▇█"


def profile_rows(profile: TableProfile) -> list[dict[str, object]]:
    """One row a column; what all columns lack is left out."""
    rows = [_row(column, profile.rows) for column in profile.columns]
    return [{name: row[name] for name in row if _is_told(rows, name)} for row in rows]


def profile_lines(profile: TableProfile) -> list[str]:
    """What the numbers are of."""
    lines = [f"{profile.name}: {profile.rows:,} rows, {len(profile.columns)} columns"]
    if profile.target:
        lines.append(
            f"with {profile.target}: Spearman's correlation; of codes and texts the correlation "
            "ratio, from 0 to 1"
        )
    if profile.compared:
        drifted = [column.name for column in profile.columns if column.drifted]
        lines.append(
            f"drift (population stability index) against {profile.compared}: "
            + (", ".join(drifted) if drifted else "none")
        )
    if profile.sampled < profile.rows:
        lines.append(f"correlation and drift are of {profile.sampled:,} sampled rows")
    return lines


def profile_plot(profile: TableProfile) -> bytes:
    """PNG: a histogram of each column that has values."""
    import io

    from matplotlib.figure import Figure

    shown = [column for column in profile.columns if column.bars]
    wide = 4
    tall = max(1, -(-len(shown) // wide))
    figure = Figure(figsize=(3 * wide, 2 * tall), dpi=80, layout="constrained")
    for number, column in enumerate(shown, start=1):
        axes = figure.add_subplot(tall, wide, number)
        places = range(len(column.bars))
        axes.bar(places, list(column.bars.values()), width=0.9, color="#4f6bed")
        axes.set_title(column.name, fontsize=10)
        labels = [label if len(label) <= 10 else f"{label[:9]}…" for label in column.bars]
        step = max(1, len(labels) // 4)
        axes.set_xticks(list(places)[::step], labels[::step], fontsize=7)
        axes.tick_params(axis="y", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def profile_page(profile: TableProfile) -> str:
    """The profile as one HTML file that needs nothing else."""
    rows = profile_rows(profile)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(_text(value))}</td>" for value in row.values())
        + "</tr>"
        for row in rows
    )
    title, *notes = profile_lines(profile)
    image = base64.b64encode(profile_plot(profile)).decode()
    return (
        "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
        f"<title>{html.escape(profile.name)}</title>"
        "<style>body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}"
        "td,th{padding:.3em .7em;border-bottom:1px solid #ddd;text-align:left;white-space:nowrap}"
        "</style>"
        f"<h1>{html.escape(title)}</h1>"
        + "".join(f"<p>{html.escape(note)}</p>" for note in notes)
        + f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p><img alt='Histograms' src='data:image/png;base64,{image}'></p></html>\n"
    )


def profile_metadata(
    instance: dg.DagsterInstance, spec: ModelSpec, lake: Lake, data_version: str
) -> dict[str, dg.MetadataValue]:
    """The profile of the training table for its page in the UI; of a large table that of a sample.

    That of the last time where the table has not changed since. Drift is against the version
    before, where the table's log still has that.
    """
    if kept := kept_metadata(instance, spec.training_table, data_version, ["profile"]):
        return kept
    from assets.table_profile import profile_of
    from resources.lake.tables import open_table, open_version_before, sample_of

    table = open_table(lake, spec.training_table_path)
    rows = table.count_rows()
    looked_at = table if rows <= MOST_ROWS else sample_of(table, spec, table.schema.names)
    before = open_version_before(lake, spec.training_table_path)
    profile = profile_of(
        looked_at, spec.training_table, spec, before=before, compared="the version before"
    )
    sampled = "" if rows <= MOST_ROWS else f"Of {rows:,} rows a sample was looked at.\n\n"
    lines = "\n\n".join(profile_lines(profile))
    table_text = markdown_table(profile_rows(profile))
    return {"profile": dg.MetadataValue.md(f"{sampled}{lines}\n\n{table_text}")}


def spark_line(counts: Sequence[int]) -> str:
    """A histogram in one line of text; an empty interval is a blank."""
    most = max(counts, default=0)
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[count * last // most] if count else " " for count in counts)


def _row(column: ColumnProfile, rows: int) -> dict[str, object]:
    share = f" ({column.missing / rows:.0%})" if column.missing and rows else ""
    return {
        "column": column.name,
        "type": column.type,
        "missing": f"{column.missing:,}{share}",
        "distinct": column.distinct,
        "least": column.least,
        "median": column.median,
        "mean": column.mean,
        "greatest": column.greatest,
        "histogram": spark_line(list(column.bars.values())),
        "with target": None if column.with_target is None else round(column.with_target, 3),
        "drift": None if column.psi is None else round(column.psi, 3),
    }


def _is_told(rows: Sequence[Mapping[str, object]], name: str) -> bool:
    return any(row[name] not in (None, "") for row in rows)


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
