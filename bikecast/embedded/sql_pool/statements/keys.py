"""PRIMARY KEY and UNIQUE constraints: a dedicated pool keeps them and enforces none.

Source: https://learn.microsoft.com/azure/synapse-analytics/sql-data-warehouse/sql-data-warehouse-table-constraints
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bikecast.embedded.sql_pool.errors import SqlError

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn
    from bikecast.embedded.sql_pool.syntax import statements as st
    from bikecast.embedded.sql_pool.work import Work


def table_keys(table: SqlObject) -> list[dict[str, Any]]:
    """The keys of a table as its details hold them."""
    return list(table.details.get("keys", []))


def not_null(
    table: str, columns: tuple[st.ColumnDefinition, ...], keys: Sequence[st.KeyConstraint]
) -> tuple[st.ColumnDefinition, ...]:
    """The columns of a new table: those of its primary key are NOT NULL.

    Raises SqlError 8111 where one of them says NULL.
    """
    primary = {name.lower() for key in keys if key.kind == "PK" for name in key.columns}
    for column in columns:
        if column.name.lower() in primary and column.null_given:
            raise _nullable(table)
    return tuple(replace(c, nullable=False) if c.name.lower() in primary else c for c in columns)


def _nullable(table: str) -> SqlError:
    return SqlError(
        8111, f"Cannot define PRIMARY KEY constraint on nullable column in table '{table}'."
    )


def added(
    work: Work,
    name: st.ObjectName,
    columns: Sequence[st.ColumnDefinition | TableColumn],
    keys: list[dict[str, Any]],
    key: st.KeyConstraint,
) -> list[dict[str, Any]]:
    """The keys of a table and a new one.

    Raises SqlError 1911 or 1909 for its columns, 8110 and 8111 for a primary key, 2714 for a name
    that is taken.
    """
    by_name = {column.name.lower(): column for column in columns}
    for column in key.columns:
        if column.lower() not in by_name:
            raise SqlError(
                1911, f"Column name '{column}' does not exist in the target table or view."
            )
    kept = [by_name[column.lower()] for column in key.columns]
    if len({column.name for column in kept}) < len(kept):
        raise SqlError(1909, "Cannot use duplicate column names in a key.")
    if key.kind == "PK":
        if any(other["kind"] == "PK" for other in keys):
            raise SqlError(
                8110, f"Cannot add multiple PRIMARY KEY constraints to table '{name.name}'."
            )
        if any(column.nullable for column in kept):
            raise _nullable(name.name)
    names = {str(other["name"]).lower() for other in keys}
    if key.name and (key.name.lower() in names or work.catalog.has_key(name.schema, key.name)):
        raise SqlError(2714, f"There is already an object named '{key.name}' in the database.")
    label = key.name or f"{key.kind}__{name.name[:9]}__{uuid.uuid4().hex[:16].upper()}"
    number = 1 + max((int(other["number"]) for other in keys), default=0)
    return [
        *keys,
        {
            "kind": key.kind,
            "name": label,
            "columns": [column.name for column in kept],
            "number": number,
            "named": bool(key.name),
        },
    ]


def add_key(work: Work, table: SqlObject, key: st.KeyConstraint) -> None:
    """ALTER TABLE ... ADD of a key."""
    keys = added(work, table.name, table.columns, table_keys(table), key)
    work.catalog.change_details(table, {**table.details, "keys": keys})


def check_in_no_key(table: SqlObject, column: str) -> None:
    """Raise SqlError 5074 for a column that a key has."""
    for key in table_keys(table):
        if column.lower() in {str(name).lower() for name in key["columns"]}:
            raise SqlError(5074, f"The object '{key['name']}' is dependent on column '{column}'.")
