"""String functions."""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import failure, refused
from bikecast.embedded.sql_pool.expressions.context import Compiler, Function
from bikecast.embedded.sql_pool.expressions.functions.templates import (
    as_text,
    template,
    text_argument,
)
from bikecast.embedded.sql_pool.values.conversion import cast, convert
from bikecast.embedded.sql_pool.values.moments import as_timestamp, offset_of
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import (
    BIGINT,
    FLOAT,
    INT,
    MAX,
    SqlType,
    nvarchar,
    varchar,
    varying,
)


def _texts(compiler: Compiler, node: exp.Expression, least: int, most: int) -> list[Typed]:
    return [as_text(compiler.value(item)) for item in compiler.arguments(node, least, most)]


def _length(compiler: Compiler, node: exp.Expression) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    type_ = BIGINT if value.type.length == MAX else INT
    if value.type.is_binary:
        return Typed(cast(f"octet_length({value.sql})", type_), type_)
    return Typed(cast(f"tsql_length({as_text(value).sql})", type_), type_)


def _data_length(compiler: Compiler, node: exp.Expression) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    type_ = BIGINT if value.type.length == MAX else INT
    if value.type.is_binary:
        return Typed(cast(f"octet_length({value.sql})", type_), type_)
    if value.type.is_text:
        width = 2 if value.type.name.startswith("n") else 1
        return Typed(cast(f"(length({value.sql}) * {width})", type_), type_)
    if value.type.name == "null":
        return Typed("CAST(NULL AS INTEGER)", INT)
    size = value.type.stored_bytes
    return Typed(f"(CASE WHEN ({value.sql}) IS NULL THEN NULL ELSE {size} END)", INT)


def _substring(compiler: Compiler, node: exp.Expression) -> Typed:
    value, start, size = (compiler.value(item) for item in compiler.arguments(node, 3, 3))
    if not (value.type.is_text or value.type.is_binary):
        name = "NULL" if value.type.name == "null" else value.type.name
        raise failure("8116b", name, 1, "substring")
    macro = "tsql_binary_part" if value.type.is_binary else "tsql_substring"
    first, count = convert(start, INT).sql, convert(size, INT).sql
    return Typed(f"{macro}({value.sql}, {first}, {count})", varying(value.type))


def _replace(compiler: Compiler, node: exp.Expression) -> Typed:
    text, old, new = _texts(compiler, node, 3, 3)
    national = any(part.type.name.startswith("n") for part in (text, old, new))
    type_ = nvarchar(MAX if text.type.length == MAX else 4000) if national else varchar(8000)
    pattern = f"regexp_escape({old.sql})"
    if old.constant is not None:
        pattern = text_literal("".join(f"\\x{{{ord(letter):x}}}" for letter in old.constant))
    replacement = f"replace({new.sql}, '\\', '\\\\')"
    replaced = f"regexp_replace({text.sql}, {pattern}, {replacement}, 'gi')"
    if old.constant == "":
        return Typed(text.sql, type_)
    if old.constant is None:
        replaced = f"(CASE WHEN {old.sql} = '' THEN {text.sql} ELSE {replaced} END)"
    return Typed(replaced, type_)


def _concat(compiler: Compiler, node: exp.Expression) -> Typed:
    parts = _texts(compiler, node, 2, 254)
    return Typed(f"({_joined(parts)})", _joined_type(*parts))


def _concat_with(compiler: Compiler, node: exp.Expression) -> Typed:
    separator, *parts = _texts(compiler, node, 3, 254)
    separated = f"concat_ws({', '.join(part.sql for part in (separator, *parts))})"
    sql = f"(CASE WHEN {separator.sql} IS NULL THEN {_joined(parts)} ELSE {separated} END)"
    return Typed(sql, _joined_type(separator, *parts))


def _joined(parts: list[Typed]) -> str:
    return " || ".join(f"coalesce({part.sql}, '')" for part in parts)


def _joined_type(*parts: Typed) -> SqlType:
    """The type of texts put together: Unicode where one of them is."""
    is_national = any(part.type.name.startswith("n") for part in parts)
    return nvarchar(4000) if is_national else varchar(8000)


def _replicate(compiler: Compiler, node: exp.Expression) -> Typed:
    first, second = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    text, count = as_text(first), convert(second, INT).sql
    national = text.type.name.startswith("n")
    longest = MAX if text.type.length == MAX else 4000 if national else 8000
    if longest == MAX:
        sql = f"tsql_long_replicate({text.sql}, {count})"
    else:
        sql = f"tsql_replicate({text.sql}, {count}, {longest})"
    return Typed(sql, nvarchar(longest) if national else varchar(longest))


def _format(compiler: Compiler, node: exp.Expression) -> Typed:
    value, pattern, *culture = (compiler.value(item) for item in compiler.arguments(node, 2, 3))
    if culture and (culture[0].constant or "").lower() != "en-us":
        raise refused("FORMAT with another culture than en-US")
    type_ = nvarchar(4000)
    if value.type.is_moment:
        minutes = offset_of(value.sql) if value.type.name == "datetimeoffset" else "0"
        arguments = f"{as_timestamp(value)}, {pattern.sql}, '{value.type.name}', {minutes}"
        return Typed(f"tsql_format_moment({arguments})", type_)
    if not value.type.is_number or value.type.name == "bit":
        raise failure("8116b", value.type.name, 1, "format")
    text = f"CAST({value.sql} AS VARCHAR)"
    if value.type.name in ("real", "float"):
        text = f"regexp_replace({text}, '[.]0$', '')"  # .NET writes 1, DuckDB 1.0
    return Typed(f"tsql_format_number({text}, {pattern.sql})", type_)


def _is_numeric(compiler: Compiler, node: exp.Expression) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    if value.type.is_text:
        return Typed(f"coalesce(tsql_is_numeric({value.sql}), 0)", INT)
    return Typed(
        f"(CASE WHEN ({value.sql}) IS NULL THEN 0 ELSE {int(value.type.is_number)} END)", INT
    )


def _place(_: Typed, text: Typed, *__: Typed) -> SqlType:
    """The type of a place in a text."""
    return BIGINT if text.type.length == MAX else INT


def _first(text: Typed, *_: Typed) -> SqlType:
    return text.type


def _varying(text: Typed, *_: Typed) -> SqlType:
    return varying(text.type)


def _stuffed(text: Typed, _: Typed, __: Typed, new: Typed) -> SqlType:
    return _joined_type(text, new)


_TEXT = text_argument
TEXT_FUNCTIONS: dict[str, Function] = {
    "LEN": _length,
    "DATALENGTH": _data_length,
    "UPPER": template("translate(upper({0}), 'ẞ', 'ß')", _first, _TEXT),  # SQL Server keeps it
    "LOWER": template("lower({0})", _first, _TEXT),
    "REVERSE": template("reverse({0})", _first, _TEXT),
    "LTRIM": template("ltrim({0}, ' ')", _first, _TEXT),
    "RTRIM": template("rtrim({0}, ' ')", _first, _TEXT),
    # The parser makes TRIM(characters FROM text) a call with the characters behind the text.
    "TRIM": template("trim({0}, {1})", _first, _TEXT, _TEXT, defaults=("' '",)),
    "LEFT": template("tsql_substring({0}, 1, {1})", _varying, _TEXT, INT),
    "RIGHT": template("tsql_right({0}, {1})", _varying, _TEXT, INT),
    "SUBSTRING": _substring,
    "REPLACE": _replace,
    "REPLICATE": _replicate,
    "SPACE": template("tsql_replicate(' ', {0}, 8000)", varchar(8000), INT),
    "STUFF": template("tsql_stuff({0}, {1}, {2}, {3})", _stuffed, _TEXT, INT, INT, _TEXT),
    "CONCAT": _concat,
    "CONCAT_WS": _concat_with,
    "CHARINDEX": template(
        "CAST(tsql_charindex({0}, {1}, {2}) AS {type})", _place, _TEXT, _TEXT, INT, defaults=("1",)
    ),
    "PATINDEX": template("CAST(tsql_patindex({0}, {1}) AS {type})", _place, _TEXT, _TEXT),
    "QUOTENAME": template(
        "tsql_quotename({0}, {1})", nvarchar(258), _TEXT, _TEXT, defaults=("'['",)
    ),
    "ASCII": template("tsql_ascii({0})", INT, _TEXT),
    "UNICODE": template("(CASE WHEN length({0}) > 0 THEN ord(left({0}, 1)) END)", INT, _TEXT),
    "CHAR": template("tsql_char({0})", SqlType("char", 1), INT),
    "NCHAR": template(
        "(CASE WHEN {0} BETWEEN 0 AND 65535 THEN chr({0}) END)", SqlType("nchar", 1), INT
    ),
    "STR": template(
        "tsql_str({0}, {1}, {2})", varchar(8000), FLOAT, INT, INT, defaults=("10", "0")
    ),
    "FORMAT": _format,
    "SOUNDEX": template("tsql_soundex({0})", varchar(4), _TEXT),
    "DIFFERENCE": template("tsql_difference({0}, {1})", INT, _TEXT, _TEXT),
    "ISNUMERIC": _is_numeric,
}
