"""COPY INTO from Parquet files: by the position of columns, and only into their own types."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from pathlib import Path

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn
from bikecast.embedded.sql_pool.copy.rejects import CONVERSION_ERROR
from bikecast.embedded.sql_pool.copy.targets import (
    Field,
    load_file,
    path_literal,
    unreadable,
    with_default,
)
from bikecast.embedded.sql_pool.errors import SqlError
from bikecast.embedded.sql_pool.values.conversion import assign
from bikecast.embedded.sql_pool.values.scope import Typed, quoted
from bikecast.embedded.sql_pool.values.types import SqlType, parse_declaration
from bikecast.embedded.sql_pool.work import Work

#: DuckDB types of Parquet columns and the SQL types that they may be loaded into.
_PARQUET = {
    "BOOLEAN": ("bit", ("bit",)),
    "TINYINT": ("smallint", ("tinyint", "smallint")),
    "SMALLINT": ("smallint", ("smallint",)),
    "INTEGER": ("int", ("int",)),
    "BIGINT": ("bigint", ("bigint",)),
    "FLOAT": ("real", ("real",)),
    "DOUBLE": ("float", ("float",)),
    "VARCHAR": ("varchar(max)", ("char", "varchar", "nchar", "nvarchar")),
    "BLOB": ("varbinary(max)", ("varbinary", "binary")),
    "DATE": ("date", ("date",)),
    "TIMESTAMP": ("datetime2", ("datetime2", "datetime", "smalldatetime")),
    # Adjusted to UTC; the pool takes the moment as UTC.
    "TIMESTAMP WITH TIME ZONE": ("datetime2", ("datetime2", "datetime", "smalldatetime")),
    "DECIMAL": ("", ("decimal", "money", "smallmoney")),
}


def load_parquet(work: Work, table: SqlObject, fields: list[Field], path: Path) -> int:
    """Load one file and return the number of rows.

    Raises SqlError for a file with fewer columns, or with one of another type.
    """
    reader = f"read_parquet({path_literal(path)})"
    try:
        described = work.run(f"DESCRIBE SELECT * FROM {reader}")
    except SqlError as error:
        raise unreadable(path, "it is no Parquet file") from error
    if max(field.number for field in fields) > len(described):
        raise SqlError(
            CONVERSION_ERROR,
            f"The file '{path}' has {len(described)} columns, and the table needs more. "
            "No row was loaded.",
        )
    values = []
    for field in fields:
        name, parquet_type = (str(item) for item in described[field.number - 1][:2])
        read = f"q.{quoted(name)}"
        if parquet_type == "TIMESTAMP WITH TIME ZONE":
            read = f"make_timestamp(epoch_us({read}))"
        source = Typed(read, _parquet_type(path, name, parquet_type, field.column))
        value = assign(source, field.column.type, column=field.column.name)
        values.append(with_default(value.sql, field))
    return load_file(work, table, fields, values, path, reader)


def _parquet_type(path: Path, name: str, parquet_type: str, column: TableColumn) -> SqlType:
    """The SQL type of a Parquet column; only a type of its own kind may take it."""
    family = parquet_type.split("(")[0]
    source, targets = _PARQUET.get(family, ("", ()))
    if column.type.name not in targets:
        raise SqlError(
            CONVERSION_ERROR,
            f"The column '{name}' of the file '{path}' is {parquet_type}; the column "
            f"'{column.name}' of the table is {column.type.declaration}. No row was loaded.",
        )
    return parse_declaration(source or parquet_type.lower())
