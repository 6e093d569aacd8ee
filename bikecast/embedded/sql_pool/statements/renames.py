"""New names: RENAME OBJECT, ALTER SCHEMA ... TRANSFER, sp_rename of a column.

Sources: https://learn.microsoft.com/sql/t-sql/statements/rename-transact-sql,
https://learn.microsoft.com/sql/t-sql/statements/alter-schema-transact-sql and
https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-rename-transact-sql
(Azure Synapse).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bikecast.embedded.sql_pool.catalog.catalog import TABLE, VIEW, SqlObject
from bikecast.embedded.sql_pool.errors import SqlError, invalid_object, unsupported
from bikecast.embedded.sql_pool.statements.alterations import write_copy
from bikecast.embedded.sql_pool.statements.keys import table_keys
from bikecast.embedded.sql_pool.syntax.names import DATABASE, cross_database, is_current
from bikecast.embedded.sql_pool.syntax.statements import (
    ObjectName,
    ParameterDefinition,
    Rename,
    Transfer,
)
from bikecast.embedded.sql_pool.values.patterns import name_part
from bikecast.embedded.sql_pool.values.scope import quoted
from bikecast.embedded.sql_pool.values.types import nvarchar

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.work import Work

#: Of sp_rename; in a dedicated pool all three are required.
PARAMETERS = (
    ParameterDefinition("objname", nvarchar(776), False),
    ParameterDefinition("newname", nvarchar(128), False),
    ParameterDefinition("objtype", nvarchar(13), False),
)
CAUTION = "Caution: Changing any part of an object name could break scripts and stored procedures."


def rename(work: Work, statement: Rename) -> None:
    """RENAME OBJECT of a table, or of a view.

    The page speaks of tables alone, but tools such as dbt-synapse rename views by it.
    """
    table = work.catalog.find(statement.name)
    if table is None or table.type not in (TABLE, VIEW):
        raise invalid_object(str(statement.name))
    new = ObjectName(statement.new_name, statement.name.schema)
    if table.name.is_temporary or new.is_temporary:
        raise SqlError(103010, "RENAME OBJECT of a temporary table is not supported.")
    if work.catalog.find(new) is not None:
        raise SqlError(2714, f"There is already an object named '{new.name}' in the database.")
    if table.type == TABLE:
        work.run(f"ALTER TABLE {table.duckdb_name} RENAME TO {quoted(new.name)}")
    work.catalog.rename(table, new)


def transfer(work: Work, statement: Transfer) -> None:
    """ALTER SCHEMA ... TRANSFER; DuckDB has none, so the rows of a table are written anew."""
    if not work.catalog.has_schema(statement.schema):
        raise _missing("alter the schema", statement.schema)
    object_ = work.catalog.find(statement.name)
    if object_ is None or object_.name.is_temporary:
        raise _missing("find the object", statement.name.name)
    new = ObjectName(object_.name.name, statement.schema)
    if work.catalog.find(new) is not None:
        raise SqlError(15530, f'The object with name "{new.name}" already exists.')
    if object_.type == TABLE:
        write_copy(work, object_, new, [(c, quoted(c.name)) for c in object_.columns])
    work.catalog.rename(object_, new)


def _missing(action: str, name: str) -> SqlError:
    return SqlError(
        15151,
        f"Cannot {action} '{name}', because it does not exist or you do not have permission.",
    )


def rename_column(work: Work, place: str, new: str, object_type: str) -> None:
    """sp_rename of 'table.column' or 'schema.table.column'.

    Raises SqlError 15248 where there is no such column, 15004 for a new name that is empty and
    15335 for one that is taken.
    """
    if object_type.upper() != "COLUMN":
        raise unsupported("sp_rename of anything but a COLUMN", "Use RENAME OBJECT for a table.")
    if not is_current(name_part(place, 4) or DATABASE):
        raise cross_database([place])
    old, name, schema = (name_part(place, piece) or "" for piece in (1, 2, 3))
    table = work.catalog.find(ObjectName(name, schema or "dbo"))
    column = table.column(old) if table else None
    if table is None or table.type != TABLE or column is None or table.name.is_temporary:
        raise SqlError(
            15248,
            "Either the parameter @objname is ambiguous or the claimed @objtype (COLUMN) is wrong.",
        )
    if not new.strip():
        raise SqlError(15004, "Name cannot be NULL.")
    if any(c is not column and c.name.lower() == new.lower() for c in table.columns):
        raise SqlError(
            15335,
            f"Error: The new name '{new}' is already in use as a COLUMN name and would cause a "
            "duplicate that is not permitted.",
        )
    work.run(f"ALTER TABLE {table.duckdb_name} RENAME {quoted(column.name)} TO {quoted(new)}")
    columns = tuple(replace(c, name=new) if c is column else c for c in table.columns)
    work.catalog.change_columns(table, columns)
    work.catalog.change_details(table, _details(table, column.name, new))


def _details(table: SqlObject, old: str, new: str) -> dict[str, object]:
    """The details of a table with another name of a column."""

    def named(name: str) -> str:
        return new if name.lower() == old.lower() else name

    details: dict[str, Any] = dict(table.details)
    if "identity" in details:
        details["identity"] = named(details["identity"])
    if "hash_columns" in details:
        details["hash_columns"] = [named(name).lower() for name in details["hash_columns"]]
    for part in ("index_columns", "descending"):
        if part in details:
            details[part] = {
                i: [named(name) for name in names] for i, names in details[part].items()
            }
    if "default_names" in details:
        labels = details["default_names"].items()
        details["default_names"] = {named(name).lower(): label for name, label in labels}
    if "keys" in details:
        details["keys"] = [
            {**key, "columns": [named(c) for c in key["columns"]]} for key in table_keys(table)
        ]
    return details
