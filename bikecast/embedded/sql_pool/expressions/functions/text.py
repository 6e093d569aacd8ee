"""String functions."""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import failure, refused
from bikecast.embedded.sql_pool.expressions.context import Compiler, Function
from bikecast.embedded.sql_pool.values.conversion import cast, convert
from bikecast.embedded.sql_pool.values.moments import as_timestamp, offset_of
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import (
    BIGINT,
    FLOAT,
    INT,
    MAX,
    SCALED_MOMENTS,
    SqlType,
    nvarchar,
    varchar,
    varying,
)


def as_text(value: Typed) -> Typed:
    """A value as text, as string functions take their arguments."""
    if value.type.is_text:
        return value
    return convert(value, varchar(MAX) if value.type.is_binary else varchar(100))


def _texts(compiler: Compiler, node: exp.Expression, least: int, most: int) -> list[Typed]:
    return [as_text(compiler.value(item)) for item in compiler.arguments(node, least, most)]


def _same(name: str) -> Function:
    """A function of one text that DuckDB has by `name`."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        (text,) = _texts(compiler, node, 1, 1)
        sql = f"{name}({text.sql})"
        if name == "upper":  # SQL Server keeps this letter as it is
            sql = f"translate({sql}, 'ẞ', 'ß')"
        return Typed(sql, text.type)

    return compile_call


def _trim(name: str) -> Function:
    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        # The parser makes TRIM(characters FROM text) a call with the characters behind the text.
        text, *characters = _texts(compiler, node, 1, 2 if name == "trim" else 1)
        removed = characters[0].sql if characters else "' '"
        return Typed(f"{name}({text.sql}, {removed})", text.type)

    return compile_call


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
    size = _stored_bytes(value.type)
    return Typed(f"(CASE WHEN ({value.sql}) IS NULL THEN NULL ELSE {size} END)", INT)


_BYTES = {"bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "real": 4, "float": 8}
_BYTES |= {"money": 8, "smallmoney": 4, "date": 3, "datetime": 8, "smalldatetime": 4}
_BYTES["uniqueidentifier"] = 16


def _stored_bytes(type_: SqlType) -> int:
    """The bytes that a value of a type of fixed size takes."""
    if type_.name == "decimal":
        return 5 + 4 * sum(type_.precision > digits for digits in (9, 19, 28))
    if type_.name in SCALED_MOMENTS:
        step = (type_.scale > 2) + (type_.scale > 4)
        return {"time": 3, "datetime2": 6, "datetimeoffset": 8}[type_.name] + step
    return _BYTES[type_.name]


def _left_right(name: str) -> Function:
    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        first, second = compiler.arguments(node, 2, 2)
        text, size = as_text(compiler.value(first)), convert(compiler.value(second), INT)
        if name == "left":
            return Typed(f"tsql_substring({text.sql}, 1, {size.sql})", varying(text.type))
        return Typed(f"tsql_right({text.sql}, {size.sql})", varying(text.type))

    return compile_call


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


def _char_index(compiler: Compiler, node: exp.Expression) -> Typed:
    arguments = compiler.arguments(node, 2, 3)
    part, text = (as_text(compiler.value(item)) for item in arguments[:2])
    start = convert(compiler.value(arguments[2]), INT).sql if len(arguments) == 3 else "1"
    type_ = BIGINT if text.type.length == MAX else INT
    return Typed(cast(f"tsql_charindex({part.sql}, {text.sql}, {start})", type_), type_)


def _pattern_index(compiler: Compiler, node: exp.Expression) -> Typed:
    pattern, text = _texts(compiler, node, 2, 2)
    type_ = BIGINT if text.type.length == MAX else INT
    return Typed(cast(f"tsql_patindex({pattern.sql}, {text.sql})", type_), type_)


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


def _space(compiler: Compiler, node: exp.Expression) -> Typed:
    count = convert(compiler.value(compiler.arguments(node, 1, 1)[0]), INT).sql
    return Typed(f"tsql_replicate(' ', {count}, 8000)", varchar(8000))


def _stuff(compiler: Compiler, node: exp.Expression) -> Typed:
    text, start, size, new = (compiler.value(item) for item in compiler.arguments(node, 4, 4))
    text, new = as_text(text), as_text(new)
    first, count = convert(start, INT).sql, convert(size, INT).sql
    sql = f"tsql_stuff({text.sql}, {first}, {count}, {new.sql})"
    return Typed(sql, _joined_type(text, new))


def _quote_name(compiler: Compiler, node: exp.Expression) -> Typed:
    text, *mark = _texts(compiler, node, 1, 2)
    sql = f"tsql_quotename({text.sql}, {mark[0].sql if mark else text_literal('[')})"
    return Typed(sql, nvarchar(258))


def _code(national: bool) -> Function:
    """ASCII and UNICODE: the code of the first character; NULL for an empty text."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        (text,) = _texts(compiler, node, 1, 1)
        if not national:
            return Typed(f"tsql_ascii({text.sql})", INT)
        return Typed(f"(CASE WHEN length({text.sql}) > 0 THEN ord(left({text.sql}, 1)) END)", INT)

    return compile_call


def _character(national: bool) -> Function:
    """CHAR and NCHAR: the character of a code; NULL outside of the range."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        number = convert(compiler.value(compiler.arguments(node, 1, 1)[0]), INT).sql
        if not national:
            return Typed(f"tsql_char({number})", SqlType("char", 1))
        sql = f"(CASE WHEN {number} BETWEEN 0 AND 65535 THEN chr({number}) END)"
        return Typed(sql, SqlType("nchar", 1))

    return compile_call


def _number_text(compiler: Compiler, node: exp.Expression) -> Typed:
    value, *sizes = (compiler.value(item) for item in compiler.arguments(node, 1, 3))
    numbers = [convert(size, INT).sql for size in sizes]
    length, decimals = (*numbers, *("10", "0")[len(numbers) :])
    return Typed(f"tsql_str({convert(value, FLOAT).sql}, {length}, {decimals})", varchar(8000))


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


def _text_call(function: str, count: int, type_: SqlType) -> Function:
    """A function of texts in DuckDB."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        texts = [text.sql for text in _texts(compiler, node, count, count)]
        return Typed(f"{function}({', '.join(texts)})", type_)

    return compile_call


def _is_numeric(compiler: Compiler, node: exp.Expression) -> Typed:
    value = compiler.value(compiler.arguments(node, 1, 1)[0])
    if value.type.is_text:
        return Typed(f"coalesce(tsql_is_numeric({value.sql}), 0)", INT)
    return Typed(
        f"(CASE WHEN ({value.sql}) IS NULL THEN 0 ELSE {int(value.type.is_number)} END)", INT
    )


TEXT_FUNCTIONS: dict[str, Function] = {
    "LEN": _length,
    "DATALENGTH": _data_length,
    "UPPER": _same("upper"),
    "LOWER": _same("lower"),
    "REVERSE": _same("reverse"),
    "LTRIM": _trim("ltrim"),
    "RTRIM": _trim("rtrim"),
    "TRIM": _trim("trim"),
    "LEFT": _left_right("left"),
    "RIGHT": _left_right("right"),
    "SUBSTRING": _substring,
    "REPLACE": _replace,
    "REPLICATE": _replicate,
    "SPACE": _space,
    "STUFF": _stuff,
    "CONCAT": _concat,
    "CONCAT_WS": _concat_with,
    "CHARINDEX": _char_index,
    "PATINDEX": _pattern_index,
    "QUOTENAME": _quote_name,
    "ASCII": _code(national=False),
    "UNICODE": _code(national=True),
    "CHAR": _character(national=False),
    "NCHAR": _character(national=True),
    "STR": _number_text,
    "FORMAT": _format,
    "SOUNDEX": _text_call("tsql_soundex", 1, varchar(4)),
    "DIFFERENCE": _text_call("tsql_difference", 2, INT),
    "ISNUMERIC": _is_numeric,
}
