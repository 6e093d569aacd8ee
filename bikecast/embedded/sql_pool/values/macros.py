"""DuckDB macros that the compiled SQL calls; the pool's file keeps them beside its data."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@functools.cache
def _text() -> str:
    return Path(__file__).with_name("macros.sql").read_text(encoding="utf-8")


@functools.cache
def _digest() -> str:
    return hashlib.sha256(_text().encode()).hexdigest()


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the macros, unless the file has those of this program.

    A file of another program version gets them anew, in one transaction.
    """
    rows = connection.execute("SELECT digest FROM bikecast.macros").fetchall()
    if rows == [(_digest(),)]:
        return
    connection.execute("BEGIN")
    connection.execute(_text())
    connection.execute("DELETE FROM bikecast.macros")
    connection.execute("INSERT INTO bikecast.macros VALUES (?)", [_digest()])
    connection.execute("COMMIT")
