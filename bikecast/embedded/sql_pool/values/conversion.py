"""CAST, CONVERT and implicit conversion: T-SQL's rules as DuckDB SQL.

Source: https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
An expression's text is never repeated, so nested conversions do not grow.
"""
# the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from bikecast.embedded.sql_pool.errors import HIDDEN_LETTERS, failure, marked, refused
from bikecast.embedded.sql_pool.values.moments import moment_text, ticks, to_moment
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import MAX, SqlType

#: Types between which and numbers there is no conversion at all.
_NO_NUMBER = ("date", "time", "datetime2", "datetimeoffset")
#: Letters that DuckDB's casts understand and T-SQL's do not are hidden behind these.
_HIDDEN = {letter: chr(0xE000 + i) for i, letter in enumerate(HIDDEN_LETTERS)}


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
        return Typed(to_moment(value, to, style), to, ticks=ticks(value, to))
    if to.name == "uniqueidentifier" and source.is_text:
        return Typed(f"tsql_uuid({value.sql})", to)
    if to.name == "uniqueidentifier" and source.is_binary:
        return Typed(cast(f"tsql_bytes_uuid({value.sql})", to), to)
    raise failure("529", source.name, to.name)


def assign(value: Typed, to: SqlType, *, column: str = "") -> Typed:
    """Convert as an assignment does; with `column`, text that is too long is an error.

    Raises SqlError 257 for a pair of types that needs CAST.
    """
    source = value.type
    clashes = (to.name if to.is_moment else "") in _NO_NUMBER or source.name in _NO_NUMBER
    if clashes and (source.is_number or to.is_number):
        raise failure("206", source.name, to.name)
    if {source.name, to.name} == {"date", "time"}:
        raise failure("206", source.name, to.name)
    if (source.is_text and to.is_binary) or (source.is_moment and to.is_number):
        raise failure("257", source.name, to.name)
    if not column or to.length in (None, MAX) or source.name == "null":
        return convert(value, to)
    if to.is_text:
        text = _to_text(value, to, None)
        fitted = f"tsql_fit({text}, {to.length}, {text_literal(column)})"
        return Typed(_padded(fitted, to), to)
    if to.is_binary and source.is_binary:
        fitted = f"tsql_fit_binary({value.sql}, {to.length}, {text_literal(column)})"
        if to.name == "binary":
            fitted = f"tsql_padded_bytes({fitted}, {to.length})"
        return Typed(fitted, to)
    return convert(value, to)


def _cut(value: Typed, to: SqlType) -> str | None:
    if value.constant is None or not value.type.is_text or to.length is None:
        return None
    return value.constant if to.length == MAX else value.constant[: to.length]


def _sized_text(sql: str, source: SqlType, to: SqlType) -> str:
    if to.length is None or to.length == MAX:
        return sql
    if source.is_number:
        return _padded(_fitted_number(sql, source, to), to)
    return _padded(f"left({sql}, {to.length})", to)


def _fitted_number(sql: str, source: SqlType, to: SqlType) -> str:
    """The text of a number, for which its type must have room."""
    if source.is_integer and not to.name.startswith("n"):
        return f"tsql_integer_text({sql}, {to.length})"
    if source.name in ("real", "float"):
        return f"tsql_fit_float({sql}, {to.length}, '{to.name}')"
    if source.name.endswith("money"):
        error = failure("234", to.name)
    else:
        error = failure("8115", "numeric" if source.name == "decimal" else "expression", to.name)
    return f"tsql_number_text({sql}, {to.length}, {text_literal(marked(error))})"


def _padded(sql: str, to: SqlType) -> str:
    return f"rpad({sql}, {to.length}, ' ')" if to.name in ("char", "nchar") else sql


def _to_text(value: Typed, to: SqlType, style: int | None) -> str:
    source = value.type
    if source.is_text:
        return value.sql
    if source.is_moment:
        return moment_text(value, style)
    if source.is_binary:
        if style in (1, 2):
            return f"'0x' || hex({value.sql})" if style == 1 else f"hex({value.sql})"
        national = "true" if to.name.startswith("n") else "false"
        return f"python_bytes_text(hex({value.sql}), {national})"
    if source.name == "bit":
        return f"CAST(CAST({value.sql} AS TINYINT) AS VARCHAR)"
    if source.name in ("real", "float"):
        return f"tsql_float_text(CAST({value.sql} AS DOUBLE), {style or 0})"
    if source.name in ("money", "smallmoney"):
        if style == 1:
            return f"format('{{:,.2f}}', CAST(CAST({value.sql} AS DECIMAL(19,2)) AS DOUBLE))"
        digits = 4 if style in (2, 126) else 2
        return f"CAST(CAST({value.sql} AS DECIMAL(19,{digits})) AS VARCHAR)"
    if source.name == "uniqueidentifier":
        if to.length is not None and to.length != MAX and to.length < 36:
            raise failure("8170")
        return f"upper(CAST({value.sql} AS VARCHAR))"
    if source.name == "decimal" and source.precision == source.scale:
        # DuckDB writes .5 for a decimal(1,1), T-SQL 0.5
        return f"regexp_replace(CAST({value.sql} AS VARCHAR), '^(-?)[.]', '\\10.')"
    return f"CAST({value.sql} AS VARCHAR)"


def _to_binary(value: Typed, to: SqlType, style: int | None) -> str:
    source = value.type
    if source.is_binary:
        sql = value.sql
    elif source.is_text and style in (1, 2):
        sql = f"tsql_from_hex({value.sql}, {style})"
    elif source.is_text:
        national = "true" if source.name.startswith("n") else "false"
        sql = f"unhex(python_text_bytes({value.sql}, {national}))"
    elif source.is_integer or source.name == "bit":
        width = source.stored_bytes
        number = f"CAST({value.sql} AS BIGINT)"
        size = 8000 if to.length == MAX else to.length
        return f"tsql_integer_bytes({number}, {width}, {size}, {str(to.name == 'binary').lower()})"
    elif source.name == "uniqueidentifier":
        sql = f"tsql_uuid_bytes(CAST({value.sql} AS VARCHAR))"
    elif source.is_number or source.is_moment:
        raise refused(f"Conversion from {source.name} to {to.name}")
    else:
        raise failure("529", source.name, to.name)
    if to.length == MAX:
        return sql
    if to.name == "binary":
        return f"tsql_padded_bytes({sql}, {to.length})"
    return f"array_slice({sql}, 1, {to.length})"


def _hidden(sql: str, letters: str) -> str:
    codes = "".join(_HIDDEN[letter] for letter in letters)
    return f"translate({sql}, {text_literal(letters)}, {text_literal(codes)})"


def _to_number(value: Typed, to: SqlType) -> str:
    source = value.type
    if source.is_text:
        return _text_to_number(value.sql, to)
    if source.is_binary and (to.is_integer or to.name == "bit"):
        return cast(f"tsql_bytes_integer({value.sql}, {to.stored_bytes})", to)
    if source.name in ("datetime", "smalldatetime"):
        days = f"((epoch_us({value.sql}) + 2208988800000000) / 86400000000.0)"
        return cast(f"round({days})" if to.is_integer else days, to)
    if source.is_binary or source.is_moment or not source.is_number:
        raise failure("529", source.name, to.name)
    if to.name == "bit":
        return f"({value.sql} <> 0)"
    if to.name == "smallmoney":
        return cast(f"tsql_small_money(CAST({value.sql} AS DECIMAL(38,4)))", to)
    if to.name == "money" and source.name in ("bigint", "decimal", "real", "float"):
        return cast(f"tsql_large_money(CAST({value.sql} AS DECIMAL(38,4)))", to)
    sql = f"CAST({value.sql} AS UTINYINT)" if source.name == "bit" else value.sql
    if to.is_integer and (source.name in ("real", "float", "decimal", "money", "smallmoney")):
        rounding = "round" if source.name.endswith("money") else "trunc"
        sql = f"{rounding}({sql})"
    return cast(sql, to)


def _text_to_number(sql: str, to: SqlType) -> str:
    if to.name == "bit":
        return f"tsql_bit({sql})"
    if to.is_integer:
        return cast(f"regexp_replace({_hidden(sql, '.eExXbB_')}, '^ *$', '0')", to)
    if to.name in ("real", "float"):
        number = f"regexp_replace({_hidden(sql, 'xX_nNiI')}, '^ *$', '0')"
        return cast(f"tsql_finite(CAST({number} AS {to.duckdb}))", to)
    if to.name == "money":
        return f"tsql_large_money(tsql_money({sql}))"
    if to.name == "smallmoney":
        return cast(f"tsql_small_money(tsql_money({sql}))", to)
    return cast(_hidden(sql, "eExX_nN"), to)
