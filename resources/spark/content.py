"""The data version of a table: one formula for every Spark engine, which adds up over files.

Each row is hashed by xxhash64 over a salt and its columns in a canonical form: integers as bigint,
floats by their bits (-0.0 as 0.0), dates as days since 1970, texts in UTF-8, and for each column
whether it is null. The sums of these hashes' halves are the content; they do not depend on the
order of the rows or on how these are cut into files. Two salts make 128 bits.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

    from bikecast.core.spec import Column

#: The formula's number, kept with each version that it made.
FORMULA = "2"
_SALTS = (1, 2)
_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Content:
    """Rows and sums of their hashes; contents of parts add up to that of the whole."""

    rows: int
    sums: tuple[int, ...]

    def __add__(self, other: Content) -> Content:
        sums = (a + b for a, b in zip(self.sums, other.sums, strict=True))
        return Content(self.rows + other.rows, tuple(sums))

    def version(self, columns: Sequence[Column]) -> str:
        """SHA-256 in hex of schema and content."""
        schema = [[column.name, column.sql_type] for column in columns]
        text = json.dumps([FORMULA, schema, self.rows, [total % (1 << 63) for total in self.sums]])
        return hashlib.sha256(text.encode()).hexdigest()


def content_of(table: DataFrame, columns: Sequence[Column]) -> Content:
    """The content of a table with these columns, in one pass of the engine.

    Sums of 32 bits a row overflow beyond 2 billion rows.
    """
    from pyspark.sql import functions as f

    parts = [part for column in columns for part in _canonical(column)]
    sums = []
    for salt in _SALTS:
        digest = f.xxhash64(f.lit(salt), *parts)
        sums += [f.sum(digest.bitwiseAND(f.lit(_LOW))), f.sum(f.shiftright(digest, 32))]
    row = table.agg(f.count(f.lit(1)), *sums).collect()[0]
    return Content(int(row[0]), tuple(int(value or 0) for value in row[1:]))


def _canonical(column: Column) -> tuple[SparkColumn, SparkColumn]:
    """A column's value in canonical form, null replaced, and 1 where it was null, else 0."""
    from pyspark.sql import functions as f

    value = f.col(column.name)
    is_null = value.isNull().cast("int")
    if column.sql_type == "varchar":
        return f.coalesce(value, f.lit("")), is_null
    if column.sql_type == "date":
        # An int in a JVM and a bigint in Sail, until it is cast below.
        value = f.datediff(value, f.lit("1970-01-01").cast("date"))
    if column.sql_type in ("real", "float"):
        zero = f.lit(0.0).cast("float" if column.sql_type == "real" else "double")
        return f.coalesce(value, zero) + zero, is_null
    return f.coalesce(value.cast("bigint"), f.lit(0).cast("bigint")), is_null
