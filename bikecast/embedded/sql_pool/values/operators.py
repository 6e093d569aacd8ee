"""Literals, arithmetic, comparison and LIKE on typed operands."""

from __future__ import annotations

import math
import re

from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.values.conversion import cast, convert
from bikecast.embedded.sql_pool.values.moments import utc_time
from bikecast.embedded.sql_pool.values.patterns import like_regex
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import (
    DATETIME,
    FLOAT,
    INT,
    MAX,
    SqlType,
    common_type,
    decimal,
    nvarchar,
    varbinary,
    varchar,
)

LITERAL_TYPES = ("int", "decimal", "float")
#: The macros that keep results of arithmetic in the ranges of their types.
_RANGES = {
    "real": "tsql_finite",
    "float": "tsql_finite",
    "money": "tsql_large_money",
    "smallmoney": "tsql_small_money",
}
_INTEGER = re.compile(r"\(*-?\d+\)*")
_COLUMN = re.compile(r's\d+\."(?:[^"]|"")*"')


def literal_text(text: str, *, national: bool = False) -> Typed:
    """A character constant."""
    size = max(len(text), 1)
    type_ = nvarchar(size) if national else varchar(size)
    return Typed(text_literal(text), type_, text, not_null=True)


def literal_number(text: str) -> Typed:
    """A numeric constant: int, then decimal; float only with an exponent."""
    if text.lower().endswith("e"):  # T-SQL reads 1e as 1e0
        text += "0"
    if "e" in text.lower():
        if math.isinf(float(text)):
            raise failure("168", text)
        return Typed(cast(text, FLOAT), FLOAT, not_null=True)
    whole, _, fraction = text.lstrip("-").partition(".")
    whole = whole.lstrip("0")
    if "." not in text and len(whole) <= 10 and -(2**31) <= int(text) < 2**31:
        return Typed(f"({text})" if text.startswith("-") else text, INT, not_null=True)
    if len(whole) + len(fraction) > 38:
        raise SqlError(1007, f"The number '{text}' is out of the range for numeric representation.")
    type_ = decimal(max(len(whole) + len(fraction), 1), len(fraction))
    return Typed(cast(text_literal(text), type_), type_, not_null=True)


def arithmetic(operator: str, left: Typed, right: Typed) -> Typed:
    """left operator right, by the types of SQL Server."""
    if operator == "+" and left.type.is_text and right.type.is_text:
        return _concatenate(left, right)
    if operator == "+" and left.type.is_binary and right.type.is_binary:
        lengths = [left.type.length or 0, right.type.length or 0]
        type_ = varbinary(MAX if MAX in lengths else sum(lengths))
        return Typed(f"({left.sql} || {right.sql})", type_)
    if left.type.is_moment or right.type.is_moment:
        return _moment_arithmetic(operator, left, right)
    if left.type.name == right.type.name == "bit":
        raise _incompatible(left.type, right.type, _NAMES[operator])
    if left.type.is_binary and right.type.is_integer:
        left = convert(left, right.type)
    if right.type.is_binary and left.type.is_integer:
        right = convert(right, left.type)
    if (left.type.is_text and right.type.is_binary) or (left.type.is_binary and right.type.is_text):
        raise _incompatible(left.type, right.type, _NAMES[operator])
    for operand in (left, right):
        if not (operand.type.is_number or operand.type.is_text or operand.type.name == "null"):
            raise failure("8117", operand.type.name, _NAMES[operator])
    type_ = common_type(left.type, right.type)
    if type_.is_text:
        if operator == "+":
            return _concatenate(left, right)
        raise failure("8117", type_.name, _NAMES[operator])
    type_ = INT if type_.name in ("bit", "null") else type_
    if type_.name == "decimal":
        return _decimal_arithmetic(operator, left, right)
    a, b = convert(left, type_).sql, convert(right, type_).sql
    if operator == "/":
        if type_.is_integer:
            return Typed(f"({a} // {b})", type_)
        if type_.name in ("money", "smallmoney"):
            quotient = cast(_quotient(a, b, 4), decimal(38, 4))
            return Typed(cast(in_range(quotient, type_), type_), type_)
        return Typed(cast(in_range(f"{a} / tsql_nonzero({b})", type_), type_), type_)
    if type_.name in ("real", "float") and operator == "%":
        raise _incompatible(left.type, right.type, _NAMES[operator])
    return Typed(cast(in_range(f"{a} {operator} {b}", type_), type_), type_)


def in_range(sql: str, type_: SqlType) -> str:
    """A result of arithmetic: a float or money that is too large is an error."""
    return f"{_RANGES.get(type_.name, '')}({sql})"


def bitwise(operator: str, left: Typed, right: Typed) -> Typed:
    """left & right, left | right, left ^ right of integers."""
    if left.type.is_binary and right.type.is_integer:
        left = convert(left, right.type)
    if right.type.is_binary and left.type.is_integer:
        right = convert(right, left.type)
    if left.type.name == right.type.name == "bit":
        a, b = f"CAST({left.sql} AS TINYINT)", f"CAST({right.sql} AS TINYINT)"
        return Typed(f"CAST({_bitwise(operator, a, b)} AS BOOLEAN)", left.type)
    for operand in (left, right):
        if not (operand.type.is_integer or operand.type.name in ("bit", "null")):
            raise _incompatible(left.type, right.type, f"'{operator}'")
    type_ = common_type(left.type, right.type)
    type_ = INT if type_.name in ("bit", "null") else type_
    a, b = convert(left, type_).sql, convert(right, type_).sql
    return Typed(cast(_bitwise(operator, a, b), type_), type_)


def _bitwise(operator: str, left: str, right: str) -> str:
    return f"xor({left}, {right})" if operator == "^" else f"({left} {operator} {right})"


def _incompatible(left: SqlType, right: SqlType, operator: str) -> SqlError:
    return failure("402", left.name, right.name, operator)


def bitwise_not(value: Typed) -> Typed:
    """~value of an integer or a bit."""
    if value.type.name == "bit":
        return Typed(f"(NOT ({value.sql}))", value.type)
    if not value.type.is_integer:
        raise failure("8117", value.type.name, "'~'")
    return Typed(cast(f"(~({value.sql}))", value.type), value.type)


def _moment_arithmetic(operator: str, left: Typed, right: Typed) -> Typed:
    """datetime and smalldatetime add and subtract days; the other types do not."""
    older = ("datetime", "smalldatetime")
    clock = next((t for t in (left.type, right.type) if t.is_moment and t.name not in older), None)
    if clock is not None or operator not in "+-":
        other = right.type if left.type == clock or left.type.is_moment else left.type
        if clock is not None and left.type.name == right.type.name:
            raise failure("8117", clock.name, _NAMES[operator])
        if clock is None or other.is_text or (left.type.is_moment and right.type.is_moment):
            raise _incompatible(left.type, right.type, _NAMES[operator])
        raise failure("206", clock.name, other.name)
    type_ = left.type if left.type.is_moment else right.type
    a, b = convert(left, DATETIME).sql, convert(right, DATETIME).sql
    moved = f"tsql_in_range({a} {operator} ({b} - TIMESTAMP '1900-01-01'), '{type_.name}')"
    if operator == "-":
        moved = f"tsql_in_range(TIMESTAMP '1900-01-01' + ({a} - {b}), '{type_.name}')"
    return convert(Typed(f"tsql_round_datetime({moved})", DATETIME), type_)


_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}


_COMPARISONS = {
    "=": "equal to",
    "<>": "not equal to",
    "<": "less than",
    "<=": "less than or equal to",
    ">": "greater than",
    ">=": "greater than or equal to",
}


def _concatenate(left: Typed, right: Typed) -> Typed:
    national = any(operand.type.name in ("nchar", "nvarchar") for operand in (left, right))
    lengths = [t.length or 1 for t in (left.type, right.type) if t.is_text]
    constant = None
    if left.constant is not None and right.constant is not None:
        constant = left.constant + right.constant
    total = MAX if MAX in lengths else sum(lengths)
    type_ = nvarchar(total) if national else varchar(total)
    a = left.sql if left.type.is_text else "NULL"
    b = right.sql if right.type.is_text else "NULL"
    return Typed(f"({a} || {b})", type_, constant)


def _decimal_arithmetic(operator: str, left: Typed, right: Typed) -> Typed:
    operands = []
    for operand in (left, right):
        if operand.type.is_text or operand.type.name == "null":
            other = right if operand is left else left
            operands.append(convert(operand, other.type))
        elif operand.type.name == "decimal":
            operands.append(operand)
        elif _INTEGER.fullmatch(operand.sql):  # a constant has the precision of its digits
            digits = len(operand.sql.strip("(-)").lstrip("0")) or 1
            operands.append(convert(operand, decimal(digits, 0)))
        else:
            operands.append(convert(operand, decimal(*operand.type.as_decimal())))
    a, b = operands
    (p1, s1), (p2, s2) = a.type.as_decimal(), b.type.as_decimal()
    scale = max(s1, s2)
    if operator in "+-":
        whole = max(p1 - s1, p2 - s2)
        type_ = decimal(min(whole + scale + 1, 38), min(scale, 38 - whole))
        return Typed(cast(f"({a.sql} {operator} {b.sql})", type_), type_)
    if operator == "*":
        type_ = decimal(p1 + p2 + 1, s1 + s2)
        product = f"({a.sql} * {b.sql})"
        if p1 + p2 > 38:  # more than DuckDB multiplies
            texts = f"CAST({a.sql} AS VARCHAR), CAST({b.sql} AS VARCHAR)"
            product = f"tsql_multiply({texts}, {type_.scale})"
        return Typed(cast(product, type_), type_)
    if operator == "%":
        type_ = decimal(min(p1 - s1, p2 - s2) + scale, scale)
        return Typed(cast(f"({a.sql} % tsql_nonzero({b.sql}))", type_), type_)
    digits = max(6, s1 + p2 + 1)
    type_ = decimal(p1 - s1 + s2 + digits, digits)
    return Typed(cast(_quotient(a.sql, b.sql, type_.scale), type_), type_)


def _quotient(left: str, right: str, scale: int) -> str:
    """left / right, cut to a number of digits."""
    return f"tsql_divide(CAST({left} AS VARCHAR), CAST(tsql_nonzero({right}) AS VARCHAR), {scale})"


def comparison(operator: str, left: Typed, right: Typed) -> str:
    """left operator right as a condition; text ignores case and trailing spaces."""
    type_ = comparable_type(left.type, right.type, operator)
    a, b = convert_compared(left, type_), convert_compared(right, type_)
    compared = f"({a} {operator} {b})"
    if operator == "=" and type_.is_text:
        for column, constant in ((left, b), (right, a)):
            if _COLUMN.fullmatch(column.sql) and re.fullmatch("'.+'", constant, re.DOTALL):
                # Cheaper, and true wherever the comparison is: few rows are left to be trimmed.
                first = f"starts_with(lower({column.sql}), lower({constant}))"
                return f"(CASE WHEN {first} THEN {compared} ELSE {column.sql} IS NULL AND NULL END)"
    return compared


def comparable_type(left: SqlType, right: SqlType, operator: str = "=") -> SqlType:
    """The type in which two values are compared; of a binary value and an integer the latter's.

    Raises SqlError 206 or 402 for values that cannot be.
    """
    type_ = common_type(left, right)
    pair = {"text" if t.is_text else "binary" if t.is_binary else t.name for t in (left, right)}
    if "binary" in pair and len(pair) > 1 and "null" not in pair and not type_.is_integer:
        raise _incompatible(left, right, _COMPARISONS[operator])
    moment, other = (left, right) if left.is_moment else (right, left)
    older = moment.name in ("datetime", "smalldatetime")
    if moment.is_moment and other.is_number and not older:
        raise failure("206", left.name, right.name)
    return type_


def convert_compared(value: Typed, type_: SqlType) -> str:
    """A value converted for a comparison; the collation of the database ignores case."""
    if type_.name == "datetimeoffset":
        return utc_time(convert(value, type_).sql)
    if not type_.is_text:
        return convert(value, type_).sql
    sql = value.sql if value.type.is_text else convert(value, type_).sql
    if value.constant is not None and value.sql.startswith("'"):
        return text_literal(value.constant.rstrip(" "))
    return f"rtrim({sql}, ' ')"


def equality_key(value: Typed) -> str:
    """What a value is grouped and sorted by; equal values have one key."""
    return convert_compared(Typed(value.sql, value.type), value.type)


def like(subject: Typed, pattern: Typed, escape: str | None) -> str:
    """LIKE with %, _, [set] and [^set], ignoring case."""
    subject = _as_text(subject)
    if pattern.type.name == "null":
        return "(NULL LIKE '')"
    # Trailing blanks of the subject count where one of the two is Unicode.
    exact = any(side.type.name in ("nchar", "nvarchar") for side in (subject, pattern))
    if pattern.constant is None:
        text = _as_text(pattern).sql
        return f"tsql_like({subject.sql}, {text}, {text_literal(escape or '')}, {exact})"
    regex = like_regex(pattern.constant, escape or "") + ("" if exact else " *")
    return f"regexp_full_match({subject.sql}, {text_literal(regex)}, 'is')"


def _as_text(value: Typed) -> Typed:
    if value.type.is_text:
        return value
    return convert(value, varchar(100) if value.type.is_number else nvarchar(MAX))
