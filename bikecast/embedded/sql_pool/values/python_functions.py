"""Functions in Python that the compiled SQL calls, and the macros that call them.

Every one returns text, and none raises: an SqlError becomes a text of its number and message, on
which the cast in the macro fails.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bikecast.core.sql import text_literal
from bikecast.embedded.sql_pool.errors import ERROR_MARK, INTERNAL_ERROR, SqlError, failure, marked
from bikecast.embedded.sql_pool.values import formats, json_text, moment_text, moments, patterns

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb


#: raise('key', value, ... AS type) of macros.sql.
_RAISE = re.compile(r"raise\('(\w+)'((?:, '?\w+'?)*)(?: AS (\w+(?:\(.*?\))?))?\)")
_log = logging.getLogger(__name__)
_TEXT, _OWN = "VARCHAR", ""
"""The text itself, where it is no error; a macro of its own in macros.sql."""
#: By the name of their macro without its prefix `tsql_`: the function, the types of its arguments,
#: and the type that the macro casts its text to.
_FUNCTIONS: dict[str, tuple[Callable[..., object], str, str]] = {
    "parse_moment": (moment_text.parse_moment, "VARCHAR VARCHAR INTEGER", "TIMESTAMP"),
    "parse_offset": (moment_text.parse_offset, "VARCHAR", "INTEGER"),
    "offset_minutes": (moment_text.offset_minutes, "VARCHAR", "INTEGER"),
    "zone_utc": (moments.zone_utc, "TIMESTAMP VARCHAR", "TIMESTAMP"),
    "zone_minutes": (moments.zone_minutes, "TIMESTAMP VARCHAR", "INTEGER"),
    "moment_text": (moment_text.moment_text, "TIMESTAMP VARCHAR INTEGER INTEGER INTEGER", _TEXT),
    "format_moment": (formats.format_moment, "TIMESTAMP VARCHAR VARCHAR INTEGER", _TEXT),
    "format_number": (formats.format_number, "VARCHAR VARCHAR", _TEXT),
    "like": (patterns.like, "VARCHAR VARCHAR VARCHAR BOOLEAN", "BOOLEAN"),
    "patindex": (patterns.pattern_index, "VARCHAR VARCHAR", "INTEGER"),
    "name_part": (patterns.name_part, "VARCHAR INTEGER", _TEXT),
    "soundex": (patterns.soundex, "VARCHAR", _TEXT),
    "difference": (patterns.difference, "VARCHAR VARCHAR", "INTEGER"),
    "str": (patterns.number_text, "DOUBLE INTEGER INTEGER", _TEXT),
    "float_text": (patterns.float_text, "DOUBLE INTEGER", _TEXT),
    "divide": (patterns.divided, "VARCHAR VARCHAR INTEGER", _TEXT),
    "multiply": (patterns.multiplied, "VARCHAR VARCHAR INTEGER", _TEXT),
    "text_bytes": (patterns.text_bytes, "VARCHAR BOOLEAN", _OWN),
    "bytes_text": (patterns.bytes_text, "VARCHAR BOOLEAN", _OWN),
    "replicate": (patterns.replicated, "VARCHAR BIGINT", _OWN),
    "hash": (patterns.hashed, "VARCHAR VARCHAR", _OWN),
    "json_value": (json_text.json_value, "VARCHAR VARCHAR", _TEXT),
    "json_query": (json_text.json_query, "VARCHAR VARCHAR", _TEXT),
    "json_modify": (json_text.json_modify, "VARCHAR VARCHAR VARCHAR BOOLEAN", _OWN),
    "is_json": (json_text.is_json, "VARCHAR", "INTEGER"),
    "is_numeric": (patterns.is_numeric, "VARCHAR", "INTEGER"),
}


def _returning(function: Callable[..., object]) -> Callable[..., str | None]:
    """A function whose result, or error, is a text; NULL where an argument is NULL."""

    @functools.wraps(function)
    def call(*values: Any) -> str | None:
        if None in values:
            return None
        try:
            result = function(*values)
        except SqlError as error:
            return ERROR_MARK + marked(error)
        except (OverflowError, ArithmeticError):
            return ERROR_MARK + marked(SqlError(8115, "Arithmetic overflow error."))
        except Exception as error:  # noqa: BLE001 # a fault of ours
            _log.exception("A function of the embedded SQL pool failed")
            text = f"An internal error occurred: {type(error).__name__}."
            return ERROR_MARK + marked(SqlError(INTERNAL_ERROR, text))
        if result is None or isinstance(result, str):
            return result
        return result.isoformat() if isinstance(result, datetime.datetime) else str(result)

    return call


#: DuckDB drops its reference with the connection that registered a function, but calls it for
#: others as long as the database is open; so they live as long as this module.
_CALLED = {name: _returning(function) for name, (function, *_) in _FUNCTIONS.items()}


def create_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions; a database that has them stays as it is."""
    import duckdb

    try:  # binding is much faster than a look into duckdb_functions()
        connection.execute("SELECT python_is_numeric(NULL)").fetchall()
        return
    except duckdb.CatalogException:
        pass
    create: Any = connection.create_function  # its stub knows no names of types
    for name, (_, types, _) in _FUNCTIONS.items():
        call = _CALLED[name]
        create(f"python_{name}", call, types.split(), "VARCHAR", null_handling="special")


@functools.cache
def _text() -> str:
    """The macros of the file; behind its first one those that only call a function in Python."""
    first, *rest = Path(__file__).with_name("macros.sql").read_text(encoding="utf-8").split(";")
    for name, (_, types, result) in _FUNCTIONS.items():
        names = ", ".join(f"a{i}" for i, _ in enumerate(types.split()))
        call = f"python_{name}({names})"
        call = f"tsql_checked({call})" if result == _TEXT else f"CAST({call} AS {result})"
        if result != _OWN:
            first += f";\nCREATE OR REPLACE MACRO tsql_{name}({names}) AS {call}"
    return _RAISE.sub(_raised, ";".join([first, *rest]))


def _raised(match: re.Match[str]) -> str:
    """The cast of an error's text, which fails; without a type it is an INTEGER."""
    key, values, type_ = match.groups()
    text = text_literal(marked(failure(key, *["{}"] * 3)))
    cast = f"CAST(format({text}{values}) AS INTEGER)"
    return f"CAST(CAST({cast} AS VARCHAR) AS {type_})" if type_ else cast


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
