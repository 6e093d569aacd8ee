"""DuckDB macros that the compiled SQL calls; made anew, as temporary objects, in each session."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@functools.cache
def _text() -> str:
    return Path(__file__).with_name("macros.sql").read_text(encoding="utf-8")


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the macros for a connection."""
    connection.execute(_text())
