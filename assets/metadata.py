"""Metadata that every stage shows in the same way: preview, seconds, pictures."""

from __future__ import annotations

import base64
import datetime as dt
import re
import time
from collections.abc import Callable, Mapping, Sequence

import dagster as dg

PREVIEW_ROWS = 5
#: Columns that a page of 1600 pixels shows side by side, and rows of a turned table.
MOST_COLUMNS, MOST_TURNED = 8, 7
#: A digest breaks into no lines, so its beginning stands for it.
_DIGEST, _ELLIPSIS = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b"), "\N{HORIZONTAL ELLIPSIS}"


def stopwatch() -> Callable[[], float]:
    """Start a clock; the returned function gives the seconds since then, to milliseconds."""
    start = time.perf_counter()
    return lambda: round(time.perf_counter() - start, 3)


def table_preview(rows: Sequence[Mapping[str, object]], limit: int = PREVIEW_ROWS) -> str:
    """The first rows as a Markdown table; an empty text where there are none.

    One of more columns than a page has room for is turned: a line for each column, and at most
    MOST_TURNED rows beside each other.
    """
    if not rows:
        return ""
    names = list(rows[0])
    if len(names) <= MOST_COLUMNS:
        return markdown_table(rows[:limit])
    shown = rows[: min(limit, MOST_TURNED)]
    header = ["column", *(f"row {number}" for number in range(1, len(shown) + 1))]
    return _markdown(header, [[name, *(row[name] for row in shown)] for name in names])


def markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    """All rows, at least one, as a Markdown table."""
    names = list(rows[0])
    return _markdown(names, [[row[name] for name in names] for row in rows])


def _markdown(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    texts = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    texts += ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]
    return "\n".join(texts)


def metadata_key(title: str) -> str:
    """A title in the style of all metadata: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def picture(png: bytes, title: str) -> dg.MetadataValue:
    """A PNG as a Markdown image that the UI shows without a file server."""
    return dg.MetadataValue.md(
        f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"
    )


def link_or_path(address: str) -> dg.MetadataValue:
    """A URL as a link, a folder as a path."""
    is_url = address.startswith(("https://", "http://"))
    return dg.MetadataValue.url(address) if is_url else dg.MetadataValue.path(address)


def shortened(text: str, mark: str = _ELLIPSIS) -> str:
    """The text with the beginnings of its digests; `*` as a mark makes a path a shell's pattern."""
    return _DIGEST.sub(rf"\1{mark}", text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    if isinstance(value, dt.datetime):
        text = value.isoformat(" ", "seconds")
    return shortened(text).replace("|", "\\|").replace("\n", " ")
