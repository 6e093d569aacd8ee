"""COPY INTO from CSV files of the lake.

Source: https://learn.microsoft.com/sql/t-sql/statements/copy-into-transact-sql (azure-sqldw)
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import csv
import re
from pathlib import Path

from resources.sql_pool.engine import statements as st
from resources.sql_pool.engine.catalog import SqlObject, TableColumn
from resources.sql_pool.engine.context import Context
from resources.sql_pool.engine.conversion import assign
from resources.sql_pool.engine.definitions import existing_table
from resources.sql_pool.engine.errors import SqlError, invalid_column, not_emulated, parse_error
from resources.sql_pool.engine.expressions import ExpressionCompiler
from resources.sql_pool.engine.queries import QueryCompiler
from resources.sql_pool.engine.scope import Scope, Typed, quoted, text_literal
from resources.sql_pool.engine.types import MAX, varchar
from resources.sql_pool.engine.work import Work

PATH_ERROR = 13807
CONVERSION_ERROR = 13812
_OPTIONS = frozenset(
    "FILE_TYPE CREDENTIAL FIRSTROW FIELDTERMINATOR FIELDQUOTE ROWTERMINATOR ENCODING MAXERRORS "
    "IDENTITY_INSERT AUTO_CREATE_TABLE".split()
)
_ONLY = {
    "FILE_TYPE": ("CSV",),
    "ENCODING": ("UTF8",),
    "MAXERRORS": ("0",),
    "IDENTITY_INSERT": ("OFF",),
    "AUTO_CREATE_TABLE": ("OFF",),
}
#: Both line ends are read; a terminator of another kind is refused.
_LINE_ENDS = frozenset({"\\n", "\\r\\n", "0x0a", "0x0d0a"})


def copy_into(work: Work, statement: st.CopyInto, lake_root: Path) -> None:
    """Load CSV files into a table; every row or none.

    Raises SqlError for an unknown option, a location outside of the lake, a row with another
    number of fields, or a field that is not of its column's type.
    """
    table = existing_table(work, statement.name)
    options = _checked_options(statement.options)
    fields = _fields(table, statement.columns)
    for location in statement.locations:
        path = _lake_file(location, lake_root)
        try:
            work.run(_load(work.context, table, fields, path, options))
        except SqlError as error:
            raise _bad_file(location, error) from error


def _bad_file(location: str, error: SqlError) -> SqlError:
    """The error of a load; it shows the value that could not be converted."""
    value = re.search(r"Could not convert string (['\"].*?['\"]) to", str(error.__cause__))
    shown = f" (value {value[1]})" if value and value[1] not in error.message else ""
    return SqlError(
        CONVERSION_ERROR,
        f"Bulk load data conversion error in the file '{location}': {error.message}{shown} "
        "No row was loaded.",
    )


def _checked_options(options: dict[str, str]) -> dict[str, str]:
    for name, value in options.items():
        if name not in _OPTIONS:
            raise not_emulated(f"The COPY option {name}")
        if name in _ONLY and value.upper() not in _ONLY[name]:
            raise not_emulated(f"COPY with {name} = '{value}'")
    if options.get("ROWTERMINATOR", "\\n").lower() not in _LINE_ENDS:
        raise not_emulated(f"COPY with ROWTERMINATOR = '{options['ROWTERMINATOR']}'")
    if not options.get("FIRSTROW", "1").isdigit() or int(options.get("FIRSTROW", "1")) < 1:
        raise parse_error("FIRSTROW must be a positive number.")
    return options


def _fields(
    table: SqlObject, listed: tuple[st.CopyColumn, ...]
) -> list[tuple[TableColumn, int, st.CopyColumn | None]]:
    """Target column, number of the file's field, and the entry of the column list."""
    if not listed:
        return [(column, i, None) for i, column in enumerate(table.columns, 1)]
    by_name = {column.name.lower(): column for column in table.columns}
    found: list[tuple[TableColumn, int, st.CopyColumn | None]] = []
    for position, entry in enumerate(listed, 1):
        column = by_name.get(entry.name.lower())
        if column is None:
            raise invalid_column(entry.name)
        found.append((column, entry.field or position, entry))
    return found


def _lake_file(location: str, lake_root: Path) -> Path:
    """The file of a location: file:///path or an absolute path, inside of the lake."""
    if re.match(r"(https?|abfss?|wasbs?)://", location):
        raise SqlError(
            PATH_ERROR,
            f"The embedded SQL pool reads file:// locations of the lake only, not '{location}'.",
        )
    path = Path(location.removeprefix("file://"))
    root = lake_root.resolve()
    if not path.is_absolute() or not path.resolve().is_relative_to(root):
        raise SqlError(PATH_ERROR, f"The location '{location}' is not inside of the lake {root}.")
    if "*" in path.name or path.is_dir():
        raise not_emulated("COPY of a folder or with a wildcard")
    if not path.is_file():
        raise SqlError(PATH_ERROR, f"Content of the path '{location}' cannot be listed.")
    return path.resolve()


def _character(text: str) -> str:
    """A terminator or quote; hexadecimal notation is allowed."""
    if text.upper().startswith("0X"):
        return bytes.fromhex(text[2:]).decode("utf-8")
    return text.replace("\\t", "\t")


def _load(
    context: Context,
    table: SqlObject,
    fields: list[tuple[TableColumn, int, st.CopyColumn | None]],
    path: Path,
    options: dict[str, str],
) -> str:
    delimiter = _character(options.get("FIELDTERMINATOR", ","))
    quote = _character(options.get("FIELDQUOTE", '"'))
    skipped = int(options.get("FIRSTROW", "1")) - 1
    width = len(table.columns) if all(entry is None for _, _, entry in fields) else None
    if width is None:
        width = max(max(number for _, number, _ in fields), _width(path, delimiter, quote))
    compiler = ExpressionCompiler(context, Scope(), QueryCompiler(context).query)
    values = []
    for column, number, entry in fields:
        value = Typed(f"q.f{number}", varchar(MAX))
        sql = assign(value, column.type, column=column.name).sql
        if entry is not None and entry.default is not None:
            default = assign(compiler.value(entry.default), column.type, column=column.name)
            sql = f"coalesce({sql}, {default.sql})"
        values.append(sql)
    names = ", ".join(f"'f{i}': 'VARCHAR'" for i in range(1, width + 1))
    reader = (
        f"read_csv({text_literal(_glob_escaped(path))}, auto_detect = false, header = false, "
        f"columns = {{{names}}}, delim = {text_literal(delimiter)}, quote = {text_literal(quote)}, "
        f"escape = {text_literal(quote)}, nullstr = '', allow_quoted_nulls = false, "
        f"skip = {skipped}, strict_mode = true)"
    )
    listed = ", ".join(quoted(column.name) for column, _, _ in fields)
    return (
        f"INSERT INTO {table.duckdb_name} ({listed}) SELECT {', '.join(values)} FROM {reader} AS q"
    )


def _glob_escaped(path: Path) -> str:
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _width(path: Path, delimiter: str, quote: str) -> int:
    """Number of fields of the file's first record."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        if len(delimiter) != 1:
            return file.readline().count(delimiter) + 1
        return len(next(csv.reader(file, delimiter=delimiter, quotechar=quote or None), []))
