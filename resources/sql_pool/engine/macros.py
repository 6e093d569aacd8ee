"""DuckDB macros that the compiled SQL calls; made anew, as temporary objects, in each session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resources.sql_pool.engine.errors import raised

if TYPE_CHECKING:
    import duckdb

_TOO_LONG = raised(
    8152, "'String or binary data would be truncated in column ''' || column_name || '''.'"
)
_DOMAIN = raised(3623, "'An invalid floating point operation occurred.'")
_MACROS = (
    "tsql_fit(value, size, column_name) AS "
    f"CASE WHEN length(rtrim(value)) > size THEN {_TOO_LONG} ELSE left(value, size) END",
    "tsql_fit_binary(value, size, column_name) AS "
    f"CASE WHEN octet_length(value) > size THEN CAST({_TOO_LONG} AS BLOB) ELSE value END",
    "tsql_round_time(moment, step) AS "
    "make_timestamp(CAST(round(epoch_us(moment) / step) AS BIGINT) * step)",
    "tsql_length(value) AS CAST(length(rtrim(value)) AS INTEGER)",
    "tsql_charindex(part, value, start) AS CAST(CASE WHEN strpos(lower(substring(value, "
    "greatest(start, 1))), lower(part)) = 0 THEN 0 ELSE strpos(lower(substring(value, "
    "greatest(start, 1))), lower(part)) + greatest(start, 1) - 1 END AS INTEGER)",
    "tsql_substring(value, start, size) AS CASE WHEN size < 0 THEN "
    + raised(537, "'Invalid length parameter passed to the LEFT or SUBSTRING function.'")
    + " ELSE substring(value, greatest(start, 1), greatest(size + least(start, 1) - 1, 0)) END",
    "tsql_nonzero(value) AS CASE WHEN value = 0 THEN "
    + raised(8134, "'Divide by zero error encountered.'")
    + " ELSE value END",
    f"tsql_not_negative(value) AS CASE WHEN value < 0 THEN {_DOMAIN} ELSE value END",
    f"tsql_positive(value) AS CASE WHEN value <= 0 THEN {_DOMAIN} ELSE value END",
    "tsql_integer_text(value, size) AS CASE WHEN length(value) > size THEN '*' ELSE value END",
    "tsql_number_text(value, size) AS CASE WHEN length(value) > size THEN "
    + raised(8115, "'Arithmetic overflow error converting numeric to a character type.'")
    + " ELSE value END",
    # datetime counts 300ths of a second and shows milliseconds.
    "tsql_round_datetime(moment) AS make_timestamp(1000 * "
    "CAST(round(round(epoch_us(moment) * 3 / 10000) * 10 / 3) AS BIGINT))",
    "tsql_right(value, size) AS CASE WHEN size = 0 THEN '' ELSE right(value, size) END",
)


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the macros for a connection."""
    connection.execute("; ".join(f"CREATE OR REPLACE TEMP MACRO {macro}" for macro in _MACROS))
