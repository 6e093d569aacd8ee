"""Metadata that every stage shows in the same way: schema, preview, seconds, pictures."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence

import dagster as dg

from bikecast.core.spec import Column

PREVIEW_ROWS = 5


def stopwatch() -> Callable[[], float]:
    """Start a clock; the returned function gives the seconds since then, to milliseconds."""
    start = time.perf_counter()
    return lambda: round(time.perf_counter() - start, 3)


def column_schema(columns: Sequence[Column]) -> dg.TableSchema:
    """The columns as Dagster's table schema, with SQL types."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(c.name, type=c.sql_declaration, description=c.description or None)
            for c in columns
        ]
    )


def typed_schema(types: Mapping[str, str]) -> dg.TableSchema:
    """Columns by name and SQL type as Dagster's table schema."""
    return dg.TableSchema(
        columns=[dg.TableColumn(name, type=sql_type) for name, sql_type in types.items()]
    )


def table_preview(rows: Sequence[Mapping[str, object]], limit: int = PREVIEW_ROWS) -> str:
    """The first rows as a Markdown table; an empty text where there are none."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows[:limit]]
    return "\n".join(lines)


def picture(png: bytes, title: str) -> dg.MetadataValue:
    """A PNG as a Markdown image that the UI shows without a file server."""
    return dg.MetadataValue.md(
        f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
    )


def link_or_path(address: str) -> dg.MetadataValue:
    """A URL as a link, a folder as a path."""
    is_url = address.startswith(("https://", "http://"))
    return dg.MetadataValue.url(address) if is_url else dg.MetadataValue.path(address)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
