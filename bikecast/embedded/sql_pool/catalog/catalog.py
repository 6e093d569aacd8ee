"""The objects of the pool: tables, views and procedures, with their T-SQL types and texts.

They are kept in tables of the DuckDB file (schema `bikecast`), so that a change of the catalog
commits or rolls back with the change of the data. Temporary tables live with their session.
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bikecast.embedded.sql_pool.catalog.requests import Requests
from bikecast.embedded.sql_pool.errors import failure
from bikecast.embedded.sql_pool.syntax.statements import ColumnDefinition, ObjectName
from bikecast.embedded.sql_pool.values.scope import quoted
from bikecast.embedded.sql_pool.values.types import SqlType, parse_declaration

if TYPE_CHECKING:
    import duckdb

TABLE, VIEW, PROCEDURE, FUNCTION = "U ", "V ", "P ", "FN"
SCHEMA_VERSION = 1

_SETUP = """
CREATE SCHEMA IF NOT EXISTS dbo;
CREATE SCHEMA IF NOT EXISTS bikecast;
CREATE TABLE IF NOT EXISTS bikecast.version (number INTEGER);
CREATE TABLE IF NOT EXISTS bikecast.macros (digest VARCHAR);
CREATE TABLE IF NOT EXISTS bikecast.objects (
    object_id INTEGER, schema_name VARCHAR, name VARCHAR, type VARCHAR, definition VARCHAR,
    details VARCHAR, created TIMESTAMP, modified TIMESTAMP);
CREATE TABLE IF NOT EXISTS bikecast.columns (
    object_id INTEGER, ordinal INTEGER, name VARCHAR, type VARCHAR, nullable BOOLEAN,
    default_text VARCHAR);
INSERT INTO bikecast.version SELECT 1 WHERE NOT EXISTS (FROM bikecast.version);
"""


@dataclass(frozen=True)
class TableColumn:
    """A column of a table; `default_text` is a constant in T-SQL, or empty."""

    name: str
    type: SqlType
    nullable: bool = True
    default_text: str = ""


@dataclass(frozen=True)
class SqlObject:
    """A table, view or procedure. `details` holds what only one kind has."""

    object_id: int
    name: ObjectName
    type: str
    definition: str = ""
    columns: tuple[TableColumn, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> TableColumn | None:
        """The column of a name, or None."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)

    @property
    def duckdb_name(self) -> str:
        """The quoted DuckDB name of a table."""
        return duckdb_name(self.name)

    @property
    def sequence(self) -> str:
        """The DuckDB sequence that counts an IDENTITY column."""
        place = "temp" if self.name.is_temporary else "bikecast"
        return f"{place}.identity_{abs(self.object_id)}"


def duckdb_name(name: ObjectName) -> str:
    """The quoted DuckDB name of a table of that T-SQL name."""
    schema = "temp" if name.is_temporary else name.schema
    return f"{quoted(schema)}.{quoted(name.name)}"


def create_catalog(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the catalog's own tables; nothing happens where they are.

    Raises SqlError for a file that a newer version wrote.
    """
    import duckdb

    try:  # binding is much faster than a look into duckdb_tables()
        connection.execute("SELECT digest FROM bikecast.macros").fetchall()
    except duckdb.CatalogException:
        connection.execute("BEGIN")
        connection.execute(_SETUP)
        connection.execute("COMMIT")
    row = connection.execute("SELECT max(number) FROM bikecast.version").fetchone()
    if row and row[0] != SCHEMA_VERSION:
        raise failure("948", row[0], SCHEMA_VERSION)


class Changes:
    """Counts the changes of a file's catalog by this process, which alone has the file, by two."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.number = 0
        """Odd while a change is being committed."""

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Commit a change while the block runs."""
        with self._lock:
            self.number += 1
            try:
                yield
            finally:
                self.number += 1


_changes: dict[str, Changes] = {}


class Catalog:
    """The catalog as one session sees it.

    In statements that are transactions of their own, it remembers objects until some session of the
    file changes the catalog.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        requests: Requests | None = None,
        path: str = "",
    ) -> None:
        self._connection = connection
        self.requests = requests or Requests()
        self._changes = _changes.setdefault(path, Changes()) if path else Changes()
        self._remembered: dict[ObjectName, tuple[int, SqlObject]] = {}
        self._mark = -1  # the number of changes that the statement began at; -1: nothing is kept
        self._is_changed = self._is_pinned = False
        self._temporary: dict[str, SqlObject] = {}
        self._temporary_id = 0

    @property
    def has_temporary(self) -> bool:
        """Whether a temporary table exists."""
        return bool(self._temporary)

    def begin(self, *, own: bool) -> None:
        """Before a statement; `own` where a transaction of its own begins behind this."""
        number = self._changes.number
        self._mark = number if own and number % 2 == 0 else -1
        self._is_changed = self._is_pinned = False

    def committing(self) -> contextlib.AbstractContextManager[None]:
        """Surrounds the commit of a statement."""
        return self._changes.one() if self._is_changed else contextlib.nullcontext()

    def find(self, name: ObjectName) -> SqlObject | None:
        """The object of a name, or None."""
        if name.is_temporary:
            return self._temporary.get(name.name.lower())
        mark, object_ = self._remembered.get(name, (-1, None))
        if mark == self._mark >= 0 and not self._is_changed:
            if not self._is_pinned:  # BEGIN alone does not fix what the transaction sees
                self._connection.execute("SELECT txid_current()").fetchall()
                self._is_pinned = True
            if self._changes.number == mark:
                return object_
        object_ = self._read(name)
        self._is_pinned = True
        if object_ is not None and self._changes.number == self._mark and not self._is_changed:
            self._remembered[name] = self._mark, object_
        return object_

    def _read(self, name: ObjectName) -> SqlObject | None:
        row = self._connection.execute(
            "SELECT object_id, schema_name, name, type, definition, details "
            "FROM bikecast.objects WHERE schema_name = ? AND name = ?",
            [name.schema, name.name],
        ).fetchone()
        if row is None:
            return None
        number, schema, own, type_, definition, details = row
        # Two plain reads, sorted here: DuckDB plans one with a join for twice as long.
        rows = self._connection.execute(
            "SELECT ordinal, name, type, nullable, default_text FROM bikecast.columns "
            "WHERE object_id = ?",
            [number],
        ).fetchall()
        columns = tuple(
            TableColumn(column, parse_declaration(declaration), nullable, default)
            for _, column, declaration, nullable, default in sorted(rows, key=lambda r: int(r[0]))
        )
        own_name = ObjectName(own, schema)
        return SqlObject(number, own_name, type_, definition, columns, json.loads(details))

    def has_schema(self, name: str) -> bool:
        """Whether a schema exists (the catalog's own is none)."""
        return self._any(
            "duckdb_schemas() WHERE database_name = current_database() AND schema_name = $name "
            "AND NOT internal AND schema_name <> 'bikecast'",
            name=name,
        )

    def has_key(self, schema: str, name: str) -> bool:
        """Whether a key or an object of a schema has a name."""
        return self._any(
            "bikecast.objects WHERE schema_name = $schema AND (name = $name OR list_contains("
            "list_transform(json_extract_string(details, '$.keys[*].name'), "
            "lambda key: lower(key)), lower($name)))",
            schema=schema,
            name=name,
        )

    def in_schema(self, name: str) -> bool:
        """Whether a schema has objects."""
        return self._any("bikecast.objects WHERE schema_name = $name", name=name)

    def _any(self, rows: str, **parameters: str) -> bool:
        """Whether there are rows; `rows` is FROM's part of a query."""
        row = self._connection.execute(f"SELECT count(*) FROM {rows}", parameters).fetchone()
        return bool(row and row[0])

    def add(
        self,
        name: ObjectName,
        object_type: str,
        definition: str = "",
        columns: tuple[ColumnDefinition, ...] = (),
        details: dict[str, Any] | None = None,
    ) -> SqlObject:
        """Record a new object.

        Raises SqlError 2714 where the name is taken and 2760 where the schema is missing.
        """
        if self.find(name) is not None:
            raise failure("2714", name.name)
        kept = tuple(TableColumn(c.name, c.type, c.nullable, c.default_text) for c in columns)
        if name.is_temporary:
            self._temporary_id -= 1
            temporary = SqlObject(
                self._temporary_id, name, object_type, definition, kept, details or {}
            )
            self._temporary[name.name.lower()] = temporary
            return temporary
        if not self.has_schema(name.schema):
            raise failure("2760", name.schema)
        row = self._write(
            "INSERT INTO bikecast.objects SELECT coalesce(max(object_id), 1000) + 1, ?, ?, ?, ?, ?,"
            " current_localtimestamp(), current_localtimestamp() FROM bikecast.objects "
            "RETURNING object_id",
            [name.schema, name.name, object_type, definition, json.dumps(details or {})],
        ).fetchone()
        object_id = int(row[0]) if row else 0
        self._add_columns(object_id, kept)
        return SqlObject(object_id, name, object_type, definition, kept, details or {})

    def redefine(self, object_: SqlObject, definition: str, details: dict[str, Any]) -> None:
        """Replace the text of a view or procedure."""
        self._update(object_, "definition = ?, details = ?", definition, json.dumps(details))

    def change_details(self, object_: SqlObject, details: dict[str, Any]) -> None:
        """Replace what only this kind of object has."""
        if object_.name.is_temporary:
            key = object_.name.name.lower()
            self._temporary[key] = replace(self._temporary[key], details=details)
            return
        self._update(object_, "details = ?", json.dumps(details))

    def change_columns(self, object_: SqlObject, columns: tuple[TableColumn, ...]) -> None:
        """Replace the columns of an object."""
        if object_.name.is_temporary:
            key = object_.name.name.lower()
            self._temporary[key] = replace(self._temporary[key], columns=columns)
            return
        self._write("DELETE FROM bikecast.columns WHERE object_id = ?", [object_.object_id])
        self._add_columns(object_.object_id, columns)

    def _add_columns(self, object_id: int, columns: tuple[TableColumn, ...]) -> None:
        if columns:
            self._connection.executemany(
                "INSERT INTO bikecast.columns VALUES (?, ?, ?, ?, ?, ?)",
                [
                    [object_id, i, c.name, c.type.declaration, c.nullable, c.default_text]
                    for i, c in enumerate(columns, 1)
                ],
            )

    def rename(self, object_: SqlObject, new: ObjectName) -> None:
        """Give an object another name or schema."""
        self._update(object_, "schema_name = ?, name = ?", new.schema, new.name)

    def _update(self, object_: SqlObject, changes: str, *values: str) -> None:
        self._write(
            f"UPDATE bikecast.objects SET {changes}, modified = current_localtimestamp() "
            "WHERE object_id = ?",
            [*values, object_.object_id],
        )

    def remove(self, object_: SqlObject) -> None:
        """Forget an object."""
        if object_.name.is_temporary:
            self._temporary.pop(object_.name.name.lower(), None)
            return
        for table in ("columns", "objects"):
            self._write(f"DELETE FROM bikecast.{table} WHERE object_id = ?", [object_.object_id])

    def _write(self, sql: str, values: list[Any]) -> duckdb.DuckDBPyConnection:
        self._is_changed = True
        return self._connection.execute(sql, values)
