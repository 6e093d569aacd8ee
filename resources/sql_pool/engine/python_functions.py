"""Functions in Python that the compiled SQL calls; DuckDB keeps them with the database."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from resources.sql_pool.engine import formats, moment_text, patterns
from resources.sql_pool.engine.errors import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

_FUNCTIONS: dict[str, tuple[Callable[..., object], list[str], str]] = {
    "tsql_parse_moment": (
        moment_text.parse_moment,
        ["VARCHAR", "VARCHAR", "INTEGER"],
        "TIMESTAMP",
    ),
    "tsql_parse_offset": (moment_text.parse_offset, ["VARCHAR"], "INTEGER"),
    "tsql_offset_minutes": (moment_text.offset_minutes, ["VARCHAR"], "INTEGER"),
    "tsql_moment_text": (
        moment_text.moment_text,
        ["TIMESTAMP", "VARCHAR", "INTEGER", "INTEGER"],
        "VARCHAR",
    ),
    "tsql_format_moment": (formats.format_moment, ["TIMESTAMP", "VARCHAR"], "VARCHAR"),
    "tsql_format_number": (formats.format_number, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    "tsql_like": (patterns.like, ["VARCHAR", "VARCHAR", "VARCHAR"], "BOOLEAN"),
    "tsql_patindex": (patterns.pattern_index, ["VARCHAR", "VARCHAR"], "INTEGER"),
    "tsql_soundex": (patterns.soundex, ["VARCHAR"], "VARCHAR"),
    "tsql_difference": (patterns.difference, ["VARCHAR", "VARCHAR"], "INTEGER"),
    "tsql_str": (patterns.number_text, ["DOUBLE", "INTEGER", "INTEGER"], "VARCHAR"),
    "tsql_float_text": (patterns.float_text, ["DOUBLE", "INTEGER"], "VARCHAR"),
    "tsql_divide": (patterns.divided, ["VARCHAR", "VARCHAR", "INTEGER"], "VARCHAR"),
    "tsql_json_value": (patterns.json_value, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    "tsql_json_query": (patterns.json_query, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    "tsql_is_json": (patterns.is_json, ["VARCHAR"], "INTEGER"),
    "tsql_is_numeric": (patterns.is_numeric, ["VARCHAR"], "INTEGER"),
}


def _carried(function: Callable[..., object]) -> Callable[..., object]:
    """A function whose SqlError passes through DuckDB with its number."""

    @functools.wraps(function)
    def call(*values: Any) -> object:
        try:
            return function(*values)
        except SqlError as error:
            raise ValueError(f"[[{error.number}]]{error.message}") from None
        except OverflowError as error:
            raise ValueError("[[8115]]Arithmetic overflow error.") from error

    return call


def create_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions; a database that has them stays as it is."""
    import duckdb

    try:  # binding is much faster than a look into duckdb_functions()
        connection.execute("SELECT tsql_is_numeric(NULL)").fetchall()
        return
    except duckdb.CatalogException:
        pass
    create: Any = connection.create_function  # its stub knows no names of types
    for name, (function, arguments, result) in _FUNCTIONS.items():
        create(name, _carried(function), arguments, result)
