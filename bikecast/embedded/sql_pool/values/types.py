"""SQL Server's data types: names, precedence, and the DuckDB types that store them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bikecast.embedded.sql_pool.errors import SqlError, construct, failure, near, refused

MAX = -1
"""The length of varchar(max) and its kin."""

INTEGERS = ("tinyint", "smallint", "int", "bigint")
EXACT = (*INTEGERS, "bit", "decimal", "smallmoney", "money")
APPROXIMATE = ("real", "float")
CHARACTERS = ("char", "varchar", "nchar", "nvarchar")
BINARIES = ("binary", "varbinary")
MOMENTS = ("date", "time", "smalldatetime", "datetime", "datetime2", "datetimeoffset")
SCALED_MOMENTS = ("time", "datetime2", "datetimeoffset")

_SYNONYMS = {
    "integer": "int",
    "dec": "decimal",
    "numeric": "decimal",
    "character": "char",
    "varying": "varchar",
    "sysname": "nvarchar",
    "binary varying": "varbinary",
}


class TypeFacts(NamedTuple):
    """What is known of a data type, by types.tsv; of text and binaries of the longest one."""

    duckdb: str
    """The DuckDB type that stores it; empty for a name of another type."""
    number: int
    """In sys.types."""
    wire: int
    """Its code in TDS."""
    bytes: int
    precision: int
    scale: int
    odbc: int
    """ODBC's number of it."""
    quotes: str
    """Of a constant: char, n (N before it), hex or none."""
    parameters: str
    scales: tuple[int, ...]
    """The least and the most, where it has digits behind the point."""


def _facts() -> dict[str, TypeFacts]:
    text = Path(__file__).with_name("types.tsv").read_text(encoding="utf-8")
    facts = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, duckdb, number, wire, *sizes, quotes, parameters, scales = line.split("\t")
            least_most = tuple(int(scale) for scale in scales.split())
            size, precision, scale, odbc = (int(text) for text in sizes)
            codes = int(number), int(wire, 16), size, precision, scale, odbc
            facts[name] = TypeFacts(duckdb, *codes, quotes, parameters, least_most)
    return facts


TYPES = _facts()
"""By name, from the highest to the lowest precedence."""
_PRECEDENCE = list(TYPES)


@dataclass(frozen=True)
class SqlType:
    """A data type; `length` in characters or bytes, or MAX; `null` is the type of a bare NULL."""

    name: str
    length: int | None = None
    precision: int = 0
    scale: int = 0

    @property
    def duckdb(self) -> str:
        """The DuckDB type that stores it (text carries no length there)."""
        if self.name == "decimal":
            return f"DECIMAL({self.precision},{self.scale})"
        return TYPES[self.name].duckdb

    @property
    def declaration(self) -> str:
        """The type as T-SQL writes it, such as `varchar(20)` or `decimal(10,2)`."""
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.length is not None:
            return f"{self.name}({'max' if self.length == MAX else self.length})"
        if self.name in SCALED_MOMENTS:
            return f"{self.name}({self.scale})"
        return "int" if self.name == "null" else self.name

    @property
    def is_integer(self) -> bool:
        """tinyint, smallint, int or bigint."""
        return self.name in INTEGERS

    @property
    def is_text(self) -> bool:
        """A character type."""
        return self.name in CHARACTERS

    @property
    def is_number(self) -> bool:
        """Any numeric type; bit counts as one."""
        return self.name in EXACT or self.name in APPROXIMATE

    @property
    def is_binary(self) -> bool:
        """binary or varbinary."""
        return self.name in BINARIES

    @property
    def is_moment(self) -> bool:
        """A date or time type."""
        return self.name in MOMENTS

    def as_decimal(self) -> tuple[int, int]:
        """Precision and scale of an exact number."""
        if self.name == "decimal":
            return self.precision, self.scale
        facts = TYPES[self.name]
        return (facts.precision, facts.scale) if self.name in EXACT else (10, 0)

    @property
    def stored_bytes(self) -> int:
        """The bytes that a value of this type takes in a dedicated pool."""
        if self.name == "decimal":
            return 5 + 4 * sum(self.precision > digits for digits in (9, 19, 28))
        most = TYPES[self.name].bytes
        return most - (self.scale < 3) - (self.scale < 5) if self.name in SCALED_MOMENTS else most


NULL = SqlType("null")
BIT = SqlType("bit")
INT = SqlType("int")
BIGINT = SqlType("bigint")
REAL = SqlType("real")
FLOAT = SqlType("float")
DATE = SqlType("date")
DATETIME = SqlType("datetime")
DATETIME2 = SqlType("datetime2", scale=7)
DATETIMEOFFSET = SqlType("datetimeoffset", scale=7)


def varchar(length: int) -> SqlType:
    """varchar of a length; over 8,000 it is varchar(max)."""
    return SqlType("varchar", length if 0 < length <= 8000 else MAX)


def nvarchar(length: int) -> SqlType:
    """nvarchar of a length; over 4,000 it is nvarchar(max)."""
    return SqlType("nvarchar", length if 0 < length <= 4000 else MAX)


def varbinary(length: int) -> SqlType:
    """varbinary of a length; over 8,000 it is varbinary(max)."""
    return SqlType("varbinary", length if 0 < length <= 8000 else MAX)


def varying(type_: SqlType) -> SqlType:
    """varchar of char, nvarchar of nchar, varbinary of binary; other types stay."""
    names = {"char": "varchar", "nchar": "nvarchar", "binary": "varbinary"}
    return SqlType(names.get(type_.name, type_.name), type_.length)


def decimal(precision: int, scale: int) -> SqlType:
    """decimal; a precision over 38 gives up scale, as SQL Server does, down to 6 digits.

    Rule: https://learn.microsoft.com/sql/t-sql/data-types/precision-scale-and-length-transact-sql
    """
    if precision > 38:
        scale = max(min(scale, 38 - (precision - scale)), min(scale, 6))
        precision = 38
    return SqlType("decimal", precision=max(precision, scale, 1), scale=scale)


def make_type(name: str, arguments: list[str], *, in_cast: bool = False) -> SqlType:
    """The type that a declaration such as varchar(20) names.

    `arguments` are the texts in parentheses. A length left out is 1, or 30 inside CAST. Raises
    SqlError for a type that a dedicated pool lacks, or a bad length.
    """
    type_name = _SYNONYMS.get(name.lower(), name.lower())
    if construct(f"The data type {type_name}"):
        raise refused(f"The data type {type_name}")
    if type_name not in TYPES or type_name == "null":
        if in_cast:
            raise SqlError(243, f"Type {name} is not a defined system type.")
        raise SqlError(2715, f"Cannot find data type {name}.")
    for text in arguments:
        if text.lower() != "max" and not (text.isdecimal() and len(text) <= 10):
            raise near(text)
    numbers = [MAX if text.lower() == "max" else int(text) for text in arguments]
    if len(numbers) > (2 if type_name == "decimal" else 1):
        raise near(arguments[-1])
    if name.lower() == "sysname":
        numbers = [128]
    if type_name == "decimal":
        return _decimal(numbers)
    if type_name in CHARACTERS or type_name in BINARIES:
        return _sized(type_name, numbers, 30 if in_cast else 1)
    if type_name in SCALED_MOMENTS:
        scale = numbers[0] if numbers else 7
        if not 0 <= scale <= 7:
            raise failure("1002", scale)
        return SqlType(type_name, scale=scale)
    if type_name == "float" and numbers:
        if not 1 <= numbers[0] <= 53:
            raise SqlError(2750, f"Specified column precision {numbers[0]} is greater than 53.")
        return REAL if numbers[0] <= 24 else FLOAT
    if numbers:
        raise SqlError(2716, f"Cannot specify a column width on data type {type_name}.")
    return SqlType(type_name)


def _decimal(numbers: list[int]) -> SqlType:
    precision, scale = (*numbers, *(18, 0)[len(numbers) :])
    if not 1 <= precision <= 38:
        raise SqlError(2750, f"Specified column precision {precision} is greater than 38.")
    if not 0 <= scale <= precision:
        raise SqlError(192, "The scale must be less than or equal to the precision.")
    return SqlType("decimal", precision=precision, scale=scale)


def _sized(type_name: str, numbers: list[int], default: int) -> SqlType:
    length = numbers[0] if numbers else default
    longest = 4000 if type_name.startswith("n") else 8000
    if length == MAX and type_name in ("varchar", "nvarchar", "varbinary"):
        return SqlType(type_name, MAX)
    if length == 0:
        raise SqlError(1001, "Line 1: Length or precision specification 0 is invalid.")
    if not 1 <= length <= longest:
        raise SqlError(131, f"The size ({length}) given to the type '{type_name}' is out of range.")
    return SqlType(type_name, length)


def common_type(left: SqlType, right: SqlType) -> SqlType:
    """The type of two values that meet in CASE, COALESCE, UNION or a comparison."""
    if left == right:
        return left
    high, low = sorted((left, right), key=lambda t: _PRECEDENCE.index(t.name))
    if high.name == "decimal" and low.name in EXACT:
        (p1, s1), (p2, s2) = low.as_decimal(), high.as_decimal()
        scale = max(s1, s2)
        return decimal(max(p1 - s1, p2 - s2) + scale, scale)
    if high.length is not None and low.length is not None:
        longest = MAX if MAX in (high.length, low.length) else max(high.length, low.length)
        return varying(SqlType(high.name, longest))
    if high.name == low.name:
        return SqlType(high.name, scale=max(high.scale, low.scale))
    return high


@functools.lru_cache(maxsize=1024)
def parse_declaration(text: str) -> SqlType:
    """The type that `SqlType.declaration` wrote."""
    name, _, rest = text.partition("(")
    return make_type(name, [part.strip() for part in rest.rstrip(")").split(",") if part.strip()])
