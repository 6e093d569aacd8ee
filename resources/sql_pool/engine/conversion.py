"""CAST, CONVERT and implicit conversion: T-SQL's rules as DuckDB SQL.

Source: https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
An expression's text is never repeated, so nested conversions do not grow.
"""
# the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from resources.sql_pool.engine.errors import (
    HIDDEN_LETTERS,
    SqlError,
    no_conversion,
    not_emulated,
    raised,
)
from resources.sql_pool.engine.scope import Typed, text_literal
from resources.sql_pool.engine.types import MAX, SqlType

#: Letters that DuckDB's casts understand and T-SQL's do not are hidden behind these.
_HIDDEN = {letter: chr(0xE000 + i) for i, letter in enumerate(HIDDEN_LETTERS)}
_DATE_STYLES = {
    0: "%b %d %Y %I:%M%p",
    100: "%b %d %Y %I:%M%p",
    23: "%Y-%m-%d",
    101: "%m/%d/%Y",
    102: "%Y.%m.%d",
    103: "%d/%m/%Y",
    104: "%d.%m.%Y",
    105: "%d-%m-%Y",
    108: "%H:%M:%S",
    110: "%m-%d-%Y",
    111: "%Y/%m/%d",
    112: "%Y%m%d",
    120: "%Y-%m-%d %H:%M:%S",
    121: "%Y-%m-%d %H:%M:%S.%g",
    126: "%Y-%m-%dT%H:%M:%S",
}


def cast(sql: str, to: SqlType) -> str:
    """A plain DuckDB cast."""
    return f"CAST({sql} AS {to.duckdb})"


def convert(value: Typed, to: SqlType, style: int | None = None) -> Typed:
    """Convert as CAST (or CONVERT with a style) does; text is cut to its length.

    Raises SqlError 529 for a pair of types without a conversion.
    """
    source = value.type
    if source.name == "null":
        return Typed(cast("NULL", to), to)
    if source == to and style is None:
        return value
    if to.is_text:
        return Typed(_sized_text(_to_text(value, to, style), source, to), to, _cut(value, to))
    if to.is_binary:
        return Typed(_to_binary(value, to, style), to)
    if to.is_number:
        return Typed(_to_number(value, to), to)
    if to.is_moment:
        return Typed(_to_moment(value, to, style), to)
    if to.name == "uniqueidentifier" and source.is_text:
        return Typed(cast(value.sql, to), to)
    raise no_conversion(source.name, to.name)


def assign(value: Typed, to: SqlType, *, column: str = "") -> Typed:
    """Convert as an assignment does; with `column`, text that is too long is an error.

    Raises SqlError 257 for a pair of types that needs CAST.
    """
    source = value.type
    mixed = (source.is_text and to.is_binary) or (source.is_moment and to.is_number)
    if mixed or (source.is_moment and to.is_moment and {source.name, to.name} == {"date", "time"}):
        raise SqlError(
            257,
            f"Implicit conversion from data type {source.name} to {to.name} is not allowed. "
            "Use the CONVERT function to run this query.",
        )
    if not column or to.length in (None, MAX) or source.name == "null":
        return convert(value, to)
    if to.is_text:
        text = _to_text(value, to, None)
        fitted = f"tsql_fit({text}, {to.length}, {text_literal(column)})"
        return Typed(_padded(fitted, to), to)
    if to.is_binary and source.is_binary:
        return Typed(f"tsql_fit_binary({value.sql}, {to.length}, {text_literal(column)})", to)
    return convert(value, to)


def _cut(value: Typed, to: SqlType) -> str | None:
    if value.constant is None or not value.type.is_text or to.length is None:
        return None
    return value.constant if to.length == MAX else value.constant[: to.length]


def _sized_text(sql: str, source: SqlType, to: SqlType) -> str:
    if to.length is None or to.length == MAX:
        return sql
    if source.is_number:
        integer = source.is_integer and not to.name.startswith("n")
        macro = "tsql_integer_text" if integer else "tsql_number_text"
        return _padded(f"{macro}({sql}, {to.length})", to)
    return _padded(f"left({sql}, {to.length})", to)


def _padded(sql: str, to: SqlType) -> str:
    return f"rpad({sql}, {to.length}, ' ')" if to.name in ("char", "nchar") else sql


def _to_text(value: Typed, to: SqlType, style: int | None) -> str:
    source = value.type
    if source.is_text:
        return value.sql
    if source.is_moment:
        return _moment_text(value, style)
    if source.is_binary:
        if style in (1, 2):
            return f"'0x' || hex({value.sql})" if style == 1 else f"hex({value.sql})"
        if to.name.startswith("n"):
            raise not_emulated("CAST of binary to nvarchar")
        return f"decode({value.sql})"
    if style:
        raise not_emulated(f"CONVERT of {source.name} with style {style}")
    if source.name == "bit":
        return f"CAST(CAST({value.sql} AS TINYINT) AS VARCHAR)"
    if source.name in ("real", "float"):
        text = f"printf('%.6g', CAST({value.sql} AS DOUBLE))"
        return f"regexp_replace({text}, 'e([+-])(\\d\\d)$', 'e\\10\\2')"
    if source.name in ("money", "smallmoney"):
        return f"CAST(CAST({value.sql} AS DECIMAL(19,2)) AS VARCHAR)"
    if source.name == "uniqueidentifier":
        return f"upper(CAST({value.sql} AS VARCHAR))"
    return f"CAST({value.sql} AS VARCHAR)"


def _moment_text(value: Typed, style: int | None) -> str:
    name = value.type.name
    if style is None and name == "date":
        style = 23
    if style is None and name in ("datetime", "smalldatetime"):
        style = 0
    if style is None and name == "time":
        return f"CAST({value.sql} AS VARCHAR)"
    if style is None:
        text = f"strftime({value.sql}, '%Y-%m-%d %H:%M:%S.%f') || '0'"
        return f"left({text}, {20 + value.type.scale if value.type.scale else 19})"
    if style not in _DATE_STYLES:
        raise not_emulated(f"CONVERT with the date style {style}")
    text = f"strftime({value.sql}, {text_literal(_DATE_STYLES[style])})"
    if style in (0, 100):  # day and hour are padded by a space, not by a zero
        return f"regexp_replace({text}, ' 0(\\d)', '  \\1', 'g')"
    return text


def _to_binary(value: Typed, to: SqlType, style: int | None) -> str:
    source = value.type
    if source.is_binary:
        sql = value.sql
    elif source.is_text and style in (1, 2):
        sql = f"unhex(regexp_replace({value.sql}, '^0[xX]', ''))"
    elif source.is_text and not source.name.startswith("n"):
        sql = f"encode({value.sql})"
    elif source.is_text or source.is_integer:
        raise not_emulated(f"Conversion from {source.name} to {to.name}")
    else:
        raise no_conversion(source.name, to.name)
    if to.name == "binary":
        raise not_emulated("CAST to binary(n)")
    return sql if to.length == MAX else f"array_slice({sql}, 1, {to.length})"


def _hidden(sql: str, letters: str) -> str:
    codes = "".join(_HIDDEN[letter] for letter in letters)
    return f"translate({sql}, {text_literal(letters)}, {text_literal(codes)})"


def _to_number(value: Typed, to: SqlType) -> str:
    source = value.type
    if source.is_text:
        return _text_to_number(value.sql, to)
    if source.is_binary or source.is_moment or not source.is_number:
        if source.is_binary and (to.is_integer or to.name == "bit"):
            raise not_emulated(f"Conversion from {source.name} to {to.name}")
        raise no_conversion(source.name, to.name)
    if to.name == "bit":
        return f"({value.sql} <> 0)"
    sql = f"CAST({value.sql} AS UTINYINT)" if source.name == "bit" else value.sql
    if to.is_integer and (source.name in ("real", "float", "decimal", "money", "smallmoney")):
        rounding = "round" if source.name.endswith("money") else "trunc"
        sql = f"{rounding}({sql})"
    return cast(sql, to)


def _text_to_number(sql: str, to: SqlType) -> str:
    if to.name == "bit":
        failure = raised(245, "'Conversion failed when converting a varchar value to bit.'")
        return (
            f"CASE lower(trim({sql})) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN "
            f"false WHEN '0' THEN false ELSE CAST({failure} AS BOOLEAN) END"
        )
    if to.is_integer:
        return cast(f"regexp_replace({_hidden(sql, '.eExXbB_')}, '^ *$', '0')", to)
    if to.name in ("real", "float"):
        return cast(_hidden(sql, "xX_nNiI"), to)
    return cast(_hidden(sql, "eExX_nN"), to)


def _to_moment(value: Typed, to: SqlType, style: int | None) -> str:
    source = value.type
    if source.is_number or source.is_binary or not (source.is_text or source.is_moment):
        if source.is_number and to.name in ("datetime", "smalldatetime"):
            raise not_emulated(f"Conversion from {source.name} to {to.name}")
        raise no_conversion(source.name, to.name)
    sql = value.sql
    if source.is_text and style is not None and style not in (20, 21, 120, 121, 126):
        if style not in _DATE_STYLES or style in (0, 100):
            raise not_emulated(f"CONVERT with the date style {style}")
        sql = f"strptime({sql}, {text_literal(_DATE_STYLES[style])})"
    elif source.is_text and to.name != "time":
        compact = f"regexp_replace(trim({_hidden(sql, 'eEiI')}), '^(\\d{{4}})(\\d\\d)(\\d\\d)"
        sql = f"CAST({compact}', '\\1-\\2-\\3') AS TIMESTAMP)"
    if to.name == "time":
        return cast(sql, to)
    if to.name == "date":
        return cast(sql, to)
    moment = f"CAST({sql} AS TIMESTAMP)"
    if to.name == "datetime":
        return f"tsql_round_datetime({moment})"
    step = 60_000_000 if to.name == "smalldatetime" else 10 ** max(6 - to.scale, 0)
    return moment if step == 1 else f"tsql_round_time({moment}, {step})"
