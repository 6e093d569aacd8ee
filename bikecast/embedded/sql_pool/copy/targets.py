"""What COPY INTO loads into: target columns, errors that name the file, Parquet's types."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn
from bikecast.embedded.sql_pool.errors import SqlError, duckdb_text, failure
from bikecast.embedded.sql_pool.queries.compiler import QueryCompiler
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.values.conversion import assign
from bikecast.embedded.sql_pool.values.scope import Scope, Typed, quoted, text_literal
from bikecast.embedded.sql_pool.values.types import SqlType, parse_declaration
from bikecast.embedded.sql_pool.work import Work


@dataclass(frozen=True)
class Field:
    """A target column, the number of the file's field for it (from 1), and its default."""

    column: TableColumn
    number: int
    default: Typed | None = None


def target_fields(work: Work, table: SqlObject, listed: tuple[st.CopyColumn, ...]) -> list[Field]:
    """The target columns of a column list; without one, all in order.

    Raises SqlError 207 or 264 for a name that is no column, or comes twice.
    """
    if not listed:
        return [Field(column, i) for i, column in enumerate(table.columns, 1)]
    compiler = QueryCompiler(work.context).expressions(Scope())
    by_name = {column.name.lower(): column for column in table.columns}
    fields: list[Field] = []
    for position, entry in enumerate(listed, 1):
        column = by_name.pop(entry.name.lower(), None)
        if column is None and any(entry.name.lower() == f.column.name.lower() for f in fields):
            raise failure("264", entry.name)
        if column is None:
            raise failure("207", entry.name)
        if entry.field is not None and entry.field < 1:
            raise SqlError(103010, "Field numbers of COPY start at 1.")
        default = compiler.value(entry.default) if entry.default is not None else None
        fields.append(Field(column, entry.field or position, default))
    return fields


def with_default(sql: str, field: Field) -> str:
    """An expression, or the default of the column where it is NULL."""
    if field.default is None:
        return sql
    default = assign(field.default, field.column.type, column=field.column.name)
    return f"coalesce({sql}, {default.sql})"


def load_file(
    work: Work, table: SqlObject, fields: list[Field], values: list[str], path: Path, reader: str
) -> int:
    """Insert the values of a file's rows, which `reader` of DuckDB gives as q, all at once.

    Raises SqlError that shows the value that could not be converted.
    """
    listed = ", ".join(quoted(field.column.name) for field in fields)
    try:
        return work.count(
            f"INSERT INTO {table.duckdb_name} ({listed}) SELECT {', '.join(values)} "
            f"FROM {reader} AS q"
        )
    except SqlError as error:
        cause = duckdb_text(error.__cause__)
        value = re.search(r"Could not convert string (['\"](?!\[\[).*?['\"]) to", cause)
        shown = f" (value {value[1]})" if value and value[1] not in error.message else ""
        raise failure("13812f", path, error.message, shown) from error


def path_literal(path: Path) -> str:
    """A path as text for DuckDB's readers, which take wildcards."""
    return text_literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


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
        raise failure("13812c", path, "it is no Parquet file") from error
    if max(field.number for field in fields) > len(described):
        raise failure("13812d", path, len(described))
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
        raise failure("13812e", name, path, parquet_type, column.name, column.type.declaration)
    return parse_declaration(source or parquet_type.lower())
