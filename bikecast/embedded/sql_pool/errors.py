"""SQL Server's error numbers and texts, and the translation of DuckDB's errors into them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bikecast.core.sql import SqlError as SqlError

if TYPE_CHECKING:
    from sqlglot import exp

PARSE_ERROR = 103010
#: A fault of this engine, which no user should ever see.
INTERNAL_ERROR = 110802
#: Errors of names and types, found before a statement runs: TRY ... CATCH of the same batch or
#: procedure does not see them.
#: https://learn.microsoft.com/sql/t-sql/language-elements/try-catch-transact-sql
BINDING_ERRORS = frozenset(
    int(number)
    for number in (
        "104 107 108 109 110 116 120 121 130 137 141 144 145 147 164 174 189 195 205 206 207 208 "
        "209 213 243 402 529 1011 1033 4104 4108 4109 8117 8120 8121 8127 8155 8156 8158 103010"
    ).split()
)
#: Stands before an error that a function in Python returns; no text of a user's has it.
ERROR_MARK = "\uf8ff"


class Cancelled(BaseException):
    """The client gave the batch up; no CATCH of the batch sees it."""


def parse_error(message: str, line: int = 1, column: int = 1) -> SqlError:
    """A parse error as a dedicated pool words it."""
    text = f"Parse error at line: {line}, column: {column}: {message}"
    return SqlError(PARSE_ERROR, text, line=line)


def near(text: str, line: int = 1, column: int = 1) -> SqlError:
    """A parse error at the token `text`."""
    return parse_error(f"Incorrect syntax near '{text}'.", line, column)


def unsupported(what: str, instead: str = "") -> SqlError:
    """A construct that a dedicated pool, or this emulation of it, does not have."""
    hint = f" {instead}" if instead else ""
    return SqlError(PARSE_ERROR, f"{what} is not supported in a dedicated SQL pool.{hint}")


def not_emulated(what: str) -> SqlError:
    """A construct that a dedicated pool may have, but the embedded pool does not."""
    return SqlError(PARSE_ERROR, f"{what} is not supported by the embedded SQL pool.")


def invalid_object(name: str) -> SqlError:
    """No such table or view."""
    return SqlError(208, f"Invalid object name '{name}'.")


def invalid_column(name: str) -> SqlError:
    """No such column."""
    return SqlError(207, f"Invalid column name '{name}'.")


def describe(node: exp.Expression) -> str:
    """The beginning of a tree's text, for messages."""
    try:
        return node.sql(dialect="tsql")[:60]
    except ValueError:  # a node of this dialect alone has no generator
        return node.key.upper()


def undeclared(name: str) -> SqlError:
    """A variable that no DECLARE names."""
    return SqlError(137, f'Must declare the scalar variable "@{name}".')


def operand_clash(left: str, right: str) -> SqlError:
    """Two types that do not go together."""
    return SqlError(206, f"Operand type clash: {left} is incompatible with {right}")


def invalid_operand(type_name: str, operator: str) -> SqlError:
    """An operand of a type that the operator, or aggregate, does not take."""
    return SqlError(8117, f"Operand data type {type_name} is invalid for {operator} operator.")


def invalid_argument(type_name: str, place: int, function: str) -> SqlError:
    """An argument of a type that the function does not take at that place."""
    return SqlError(
        8116,
        f"Argument data type {type_name} is invalid for argument {place} of {function} function.",
    )


def offset_overflow(function: str) -> SqlError:
    """A datetimeoffset beyond the years 1 to 9999."""
    return SqlError(
        9813,
        f"The timezone provided to builtin function {function} would cause the datetimeoffset to "
        "overflow the range of valid date range in either UTC or local time.",
    )


def no_conversion(source: str, target: str) -> SqlError:
    """A conversion that T-SQL does not define."""
    return SqlError(529, f"Explicit conversion from data type {source} to {target} is not allowed.")


#: Letters that the conversions of `conversion` hide from DuckDB's casts, to be shown again.
HIDDEN_LETTERS = ".eExXbB_nNiI"
_SHOWN = {0xE000 + i: letter for i, letter in enumerate(HIDDEN_LETTERS)}
_RAISED = re.compile(r"\[\[(\d+)\]\](.*?)(?:\[\[\.\]\]|\Z)", re.DOTALL)
_TYPES = {
    "INT8": "tinyint",
    "UINT8": "tinyint",
    "INT16": "smallint",
    "INT32": "int",
    "INT64": "bigint",
    "FLOAT": "real",
    "DOUBLE": "float",
    "DECIMAL": "numeric",
    "INT128": "numeric",
    "BOOL": "bit",
    "DATE": "date",
    "TIMESTAMP": "datetime2",
    "UUID": "uniqueidentifier",
}
_PATTERNS: tuple[tuple[str, int, str], ...] = (
    (
        r"No space left on device|not enough space|Out of disk",
        1105,
        "Could not allocate space in the pool's file, because the disk is full. Nothing of this "
        "statement is kept; make room and run it again.",
    ),
    (
        r"(?s)CSV Error on Line: (?P<line>\d+)\s.*?"
        r"(?P<detail>Expected Number of Columns: \d+ Found: \d+|Invalid unicode|unterminated quote"
        r"|Maximum line size)",
        4864,
        "Line {line} cannot be read: {detail}.",
    ),
    (r"LIMIT/OFFSET cannot be negative", 127, "A TOP N value may not be negative."),
    (r"Division by zero", 8134, "Divide by zero error encountered."),
    (
        r"NOT NULL constraint failed: \"?(?P<table>[^\n]+?)(?: \(altered\))?\"?\.(?P<column>\S+)",
        515,
        "Cannot insert the value NULL into column '{column}', table '{table}'; column does not "
        "allow nulls.",
    ),
    (
        r"Could not convert string '(?P<value> *[+-]?\d+ *)' to UINT8",
        244,
        "The conversion of the varchar value '{value}' overflowed an INT1 column. Use a larger "
        "integer column.",
    ),
    (
        r"Could not convert string '(?P<value> *[+-]?\d+ *)' to INT16",
        244,
        "The conversion of the varchar value '{value}' overflowed an INT2 column. Use a larger "
        "integer column.",
    ),
    (
        r"Could not convert string '(?P<value> *[+-]?\d+ *)' to INT32",
        248,
        "The conversion of the varchar value '{value}' overflowed an int column.",
    ),
    (
        r"Could not convert string '(?P<value> *[+-]?\d+ *)' to (?P<type>INT64)",
        8115,
        "Arithmetic overflow error converting expression to data type {type}.",
    ),
    (
        r"Could not convert string ['\"] *[+-]?(\d+[.]?\d*|[.]\d+) *['\"] to DECIMAL",
        8115,
        "Arithmetic overflow error converting varchar to data type numeric.",
    ),
    (
        r"Could not convert string ['\"].*?['\"] to (?P<type>DECIMAL|DOUBLE|FLOAT|INT64)",
        8114,
        "Error converting data type varchar to {type}.",
    ),
    (
        r"Could not convert string '(?P<value>.*?)' to (?P<type>\w+)",
        245,
        "Conversion failed when converting the varchar value '{value}' to data type {type}.",
    ),
    (
        r"Type (DOUBLE|FLOAT) with value (?P<value>\S+) can't be cast .* destination type "
        r"(?P<type>U?INT8|INT16|INT32)",
        232,
        "Arithmetic overflow error for type {type}, value = {value}.",
    ),
    (
        r"with value (?P<value>\S+) can't be cast .* destination type (?P<type>U?INT8|INT16)",
        220,
        "Arithmetic overflow error for data type {type}, value = {value}.",
    ),
    (
        r"out of range for the destination type (?P<type>\w+)"
        r"|Overflow (in|on) \w+ of (?P<type2>\w+)",
        8115,
        "Arithmetic overflow error converting expression to data type {type}.",
    ),
    (
        r"Casting value .* to type DECIMAL",
        8115,
        "Arithmetic overflow error converting numeric to data type numeric.",
    ),
    (
        r"Could not cast value -?\d+ to DECIMAL",
        8115,
        "Arithmetic overflow error converting int to data type numeric.",
    ),
    (
        r"Could not cast value .* to DECIMAL",
        8115,
        "Arithmetic overflow error converting float to data type numeric.",
    ),
    (
        r"Could not parse string|(date|timestamp) field value out of range|"
        r"invalid (date|timestamp) field format",
        241,
        "Conversion failed when converting date and/or time from character string.",
    ),
    (
        r"More than one row returned by a subquery",
        512,
        "Subquery returned more than 1 value. This is not permitted when the subquery follows =, "
        "!=, <, <= , >, >= or when the subquery is used as an expression.",
    ),
    (
        r'column "(?P<column>[^"]+)" must appear in the GROUP BY clause',
        8120,
        "Column '{column}' is invalid in the select list because it is not contained in either "
        "an aggregate function or the GROUP BY clause.",
    ),
    (
        r"GROUPING (statement cannot be used without groups|child .* must be a grouping column)",
        8161,
        "Argument 1 of the GROUPING function does not match any of the expressions in the GROUP BY "
        "clause.",
    ),
    (
        r"Cannot combine types with different collation",
        468,
        "Cannot resolve the collation conflict between the operands.",
    ),
    (
        r"Cannot create a string of size",
        7119,
        "Attempting to grow LOB beyond maximum allowed size of 2147483647 bytes.",
    ),
    (
        r"Argument for ntile must be greater than zero",
        4116,
        "The function 'NTILE' takes only a positive int or bigint expression as its input.",
    ),
    (
        r"window functions are not allowed in window definitions",
        4109,
        "Windowed functions cannot be used in the context of another windowed function or "
        "aggregate.",
    ),
    (
        r"cannot affect the same target row more than once",
        8672,
        "The MERGE statement attempted to UPDATE or DELETE the same row more than once. A target "
        "row matches more than one source row. Refine the ON clause.",
    ),
    (
        r"any following WHEN MATCHED clause would be unreachable",
        5324,
        "In a MERGE statement, a 'WHEN MATCHED' clause with a search condition cannot appear after "
        "a 'WHEN MATCHED' clause with no search condition.",
    ),
    (
        r"aggregate function calls cannot be nested",
        130,
        "Cannot perform an aggregate function on an expression containing an aggregate or a "
        "subquery.",
    ),
    (
        r"WHERE clause cannot contain aggregates",
        147,
        "An aggregate may not appear in the WHERE clause.",
    ),
    (
        r"cannot contain window functions",
        4108,
        "Windowed functions can only appear in the SELECT or ORDER BY clauses.",
    ),
    (
        r'TRY can not be used|subqueries in lambda expressions|"precision" argument in function',
        PARSE_ERROR,
        "A subquery inside of a conversion, or digits of ROUND that are a column's, are not "
        "supported by the embedded SQL pool.",
    ),
    (
        r"not in timestamp range|Overflow exception in date|Date out of range",
        8115,
        "Arithmetic overflow error converting expression to data type datetime.",
    ),
    (
        r"Failed to cast decimal value",
        8115,
        "Arithmetic overflow error converting expression to data type int.",
    ),
    (
        r"Out of Memory Error",
        701,
        "There is insufficient system memory in resource pool 'default' to run this query. "
        "The embedded SQL pool keeps to a limit. Nothing was changed; take fewer rows at a time.",
    ),
    (
        r"conflict|Conflict",
        3960,
        "Transaction aborted due to an update conflict with another session. Run it again.",
    ),
)


def duckdb_text(error: BaseException | None) -> str:
    """The text of an error of DuckDB, with the letters that conversions hide."""
    return str(error).translate(_SHOWN)


def from_duckdb(error: Exception) -> SqlError:
    """The SqlError that stands for an error of DuckDB (which a user never sees)."""
    text = duckdb_text(error)
    raised_here = _RAISED.search(text)
    if raised_here:
        return SqlError(int(raised_here[1]), raised_here[2].split("\n\nLINE")[0].strip())
    for pattern, number, message in _PATTERNS:
        match = re.search(pattern, text)
        if match:
            groups = {key: value for key, value in match.groupdict().items() if value}
            if number == 232:
                groups["value"] = f"{float(groups['value']):f}"
            name = groups.get("type") or groups.get("type2") or "int"
            groups["type"] = _TYPES.get(name, name.lower())
            return SqlError(number, message.format(**groups))
    first_line = text.split("\n", 1)[0]
    return SqlError(
        INTERNAL_ERROR, f"An internal error occurred in the embedded SQL pool: {first_line}"
    )
