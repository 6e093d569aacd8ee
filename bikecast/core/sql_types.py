"""The one map between the SQL types of a spec and the types of Spark, Arrow and ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bikecast.core.spec import Column, SqlType

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TypeNames:
    """Names of one SQL type elsewhere; `onnx` is a TensorProto data type's name, or None."""

    spark: str
    arrow: str
    numpy: str
    onnx: str | None


#: PREDICT takes int, bigint, real, float, char, varchar and nvarchar inputs, so a date is none.
TYPE_NAMES: dict[SqlType, TypeNames] = {
    "bigint": TypeNames("bigint", "int64", "int64", "INT64"),
    "int": TypeNames("int", "int32", "int32", "INT32"),
    "real": TypeNames("float", "float32", "float32", "FLOAT"),
    "float": TypeNames("double", "float64", "float64", "DOUBLE"),
    "varchar": TypeNames("string", "string", "object", "STRING"),
    "date": TypeNames("date", "date32", "datetime64[s]", None),
}


def type_names(column: Column) -> TypeNames:
    """The other names of a column's type."""
    return TYPE_NAMES[column.sql_type]


def spark_schema(columns: tuple[Column, ...]) -> str:
    """A Spark DDL schema string of the columns, in order."""
    return ", ".join(f"`{column.name}` {type_names(column).spark}" for column in columns)


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Arrow schema of the columns, in order."""
    import pyarrow as pa

    make = {"int64": pa.int64, "int32": pa.int32, "float32": pa.float32, "float64": pa.float64}
    make |= {"string": pa.string, "date32": pa.date32}
    return pa.schema([pa.field(c.name, make[type_names(c).arrow]()) for c in columns])
