"""The one map between the SQL types of a spec and the types of Spark, Arrow and ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from bikecast.core.output_type import OutputType
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

    return pa.schema([pa.field(c.name, pa.type_for_alias(type_names(c).arrow)) for c in columns])


def spark_output_type(output: OutputType) -> str:
    """The name in Spark of a type of predictions."""
    return output.sql if output.digits else TYPE_NAMES[cast(SqlType, output.sql)].spark


def arrow_output_type(output: OutputType) -> pa.DataType:
    """A type of predictions in Arrow."""
    import pyarrow as pa

    if digits := output.digits:
        return pa.decimal128(*digits)
    return pa.type_for_alias(TYPE_NAMES[cast(SqlType, output.sql)].arrow)
