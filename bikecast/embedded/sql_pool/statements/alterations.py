"""ALTER TABLE: the table is written anew, with its rows, in the same transaction.

Indexes and statistics change no result here, so they are names in the catalog.
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn, duckdb_name
from bikecast.embedded.sql_pool.errors import SqlError, unsupported
from bikecast.embedded.sql_pool.statements.changes import default_value
from bikecast.embedded.sql_pool.statements.definitions import (
    check_columnstore,
    default_names,
    existing_table,
)
from bikecast.embedded.sql_pool.statements.keys import (
    add_key,
    check_in_no_key,
    not_null,
    table_keys,
)
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.values.conversion import assign
from bikecast.embedded.sql_pool.values.scope import Typed, quoted

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.work import Work


def alter_table(work: Work, statement: st.AlterTable) -> None:
    """ALTER TABLE."""
    table = _table(work, statement)
    if statement.key is not None:
        add_key(work, table, statement.key)
    elif statement.action == "ADD DEFAULT":
        _add_default(work, table, statement)
    elif statement.action == "DROP CONSTRAINT":
        _drop_constraints(work, table, statement)
    elif statement.action == "ADD":
        _add(work, table, statement.columns)
    elif statement.action == "DROP COLUMN":
        _drop(work, table, statement)
    else:
        _change_type(work, table, statement.columns[0])


def _table(work: Work, statement: st.AlterTable) -> SqlObject:
    table = work.catalog.find(statement.name)
    if table is None:
        raise SqlError(
            4902,
            f'Cannot find the object "{statement.name}" because it does not exist or you do not '
            "have permissions.",
        )
    return existing_table(work, statement.name)


def _rewrite(work: Work, table: SqlObject, columns: list[tuple[TableColumn, str]]) -> None:
    """Replace the table by one of these columns; each has the DuckDB expression of its values."""
    kept = tuple(column for column, _ in columns)
    check_columnstore(table.details.get("index", ""), kept)
    fresh = replace(table.name, name=f"{table.name.name} (altered)")
    write_copy(work, table, fresh, columns)
    work.run(f"ALTER TABLE {duckdb_name(fresh)} RENAME TO {quoted(table.name.name)}")
    work.catalog.change_columns(table, kept)


def write_copy(
    work: Work, table: SqlObject, name: st.ObjectName, columns: list[tuple[TableColumn, str]]
) -> None:
    """Move a table's rows to a new DuckDB table of these columns; the catalog is as it was."""
    declared = ", ".join(
        f"{quoted(c.name)} {c.type.duckdb}{'' if c.nullable else ' NOT NULL'}" for c, _ in columns
    )
    noun = "TEMP TABLE" if name.is_temporary else "TABLE"
    work.run(f"CREATE {noun} {duckdb_name(name)} ({declared})")
    values = ", ".join(value for _, value in columns)
    work.run(f"INSERT INTO {duckdb_name(name)} SELECT {values} FROM {table.duckdb_name}")
    work.run(f"DROP TABLE {table.duckdb_name}")


def _add(work: Work, table: SqlObject, added: tuple[st.ColumnDefinition, ...]) -> None:
    keys = [key for column in added for key in column.keys]
    added = not_null(table.name.name, added, keys)
    columns = [(column, quoted(column.name)) for column in table.columns]
    filled = work.count(f"SELECT count(*) FROM {table.duckdb_name}") > 0
    for new in added:
        if any(column.name.lower() == new.name.lower() for column, _ in columns):
            raise SqlError(
                2705,
                f"Column names in each table must be unique. Column name '{new.name}' in table "
                f"'{table.name}' is specified more than once.",
            )
        if new.identity is not None:
            raise unsupported("ALTER TABLE that adds an IDENTITY column")
        column = TableColumn(new.name, new.type, new.nullable, new.default_text)
        value = f"CAST(NULL AS {new.type.duckdb})"
        if not new.nullable:  # a column that allows NULL gets its default in new rows only
            if filled and not new.default_text:
                raise SqlError(
                    4901,
                    "ALTER TABLE only allows columns to be added that can contain nulls, or have "
                    f"a DEFAULT definition specified. Column '{new.name}' cannot be added.",
                )
            if new.default_text:
                default = default_value(work, column)
                value = assign(default, column.type, column=column.name).sql
        columns.append((column, value))
    _rewrite(work, table, columns)
    if default_names(added):
        labels = {**_labels(table), **default_names(added)}
        work.catalog.change_details(table, {**table.details, "default_names": labels})
    for key in keys:
        add_key(work, existing_table(work, table.name), key)


def _drop(work: Work, table: SqlObject, statement: st.AlterTable) -> None:
    gone = set()
    for name in statement.names:
        column = table.column(name)
        if column is None:
            if statement.if_exists:
                continue
            raise SqlError(
                4924,
                f"ALTER TABLE DROP COLUMN failed because column '{name}' does not exist in table "
                f"'{table.name.name}'.",
            )
        check_in_no_key(table, column.name)
        used = str(table.details.get("hash_columns", [])).lower()
        if column.default_text or f"'{name.lower()}'" in used:
            raise SqlError(
                5074, f"The column '{name}' is used by a constraint or by the distribution."
            )
        gone.add(column.name)
    columns = [(c, quoted(c.name)) for c in table.columns if c.name not in gone]
    if not columns:
        raise SqlError(4923, "A table must keep at least one column.")
    _rewrite(work, table, columns)


def _change_type(work: Work, table: SqlObject, new: st.ColumnDefinition) -> None:
    old = table.column(new.name)
    if old is None:
        raise SqlError(
            4924,
            f"ALTER TABLE ALTER COLUMN failed because column '{new.name}' does not exist in "
            f"table '{table.name.name}'.",
        )
    if new.default_text or new.identity is not None or new.keys:
        raise unsupported("ALTER COLUMN with more than a type and NULL or NOT NULL")
    if old.name == table.details.get("identity"):
        raise unsupported("ALTER COLUMN of an IDENTITY column")
    check_in_no_key(table, old.name)
    changed = replace(old, type=new.type, nullable=new.nullable)
    columns = []
    for column in table.columns:
        value = quoted(column.name)
        if column is old:
            value = assign(Typed(value, old.type), new.type, column=old.name).sql
        columns.append((changed if column is old else column, value))
    _rewrite(work, table, columns)


def _add_default(work: Work, table: SqlObject, statement: st.AlterTable) -> None:
    (name,) = statement.names
    column = table.column(name)
    if column is None:
        raise SqlError(1752, f"Column '{name}' in table '{table.name.name}' is invalid.")
    if column.default_text:
        raise SqlError(1781, "Column already has a DEFAULT bound to it.")
    changed = replace(column, default_text=statement.text)
    assign(default_value(work, changed), changed.type, column=changed.name)
    labels = _labels(table)
    labels[column.name.lower()] = statement.label or f"DF__{table.name.name}__{column.name}"
    work.catalog.change_columns(table, tuple(changed if c is column else c for c in table.columns))
    work.catalog.change_details(table, {**table.details, "default_names": labels})


def _labels(table: SqlObject) -> dict[str, str]:
    """The names of the defaults, by the column's name in lower case."""
    return dict(table.details.get("default_names", {}))


def _drop_constraints(work: Work, table: SqlObject, statement: st.AlterTable) -> None:
    labels = _labels(table)
    columns = list(table.columns)
    keys = table_keys(table)
    for name in statement.names:
        rest = [key for key in keys if str(key["name"]).lower() != name.lower()]
        if len(rest) < len(keys):
            keys = rest
            continue
        owner = next((c for c, label in labels.items() if label.lower() == name.lower()), None)
        if owner is None:
            if statement.if_exists:
                continue
            raise SqlError(3728, f"'{name}' is not a constraint.")
        del labels[owner]
        columns = [replace(c, default_text="") if c.name.lower() == owner else c for c in columns]
    work.catalog.change_columns(table, tuple(columns))
    details = {**table.details, "default_names": labels, "keys": keys}
    work.catalog.change_details(table, details)


def table_note(work: Work, statement: st.TableNote) -> None:
    """CREATE, UPDATE or DROP of an index or of statistics."""
    noun = "index" if statement.kind == "indexes" else "statistics"
    if statement.drop and work.catalog.find(statement.table) is None:
        if statement.if_exists:
            return
        raise SqlError(
            3701,
            f"Cannot drop the {noun} '{statement.table}.{statement.name}', because it does not "
            "exist or you do not have permission.",
        )
    table = existing_table(work, statement.table)
    for column in statement.columns:
        if table.column(column) is None:
            raise SqlError(
                1911, f"Column name '{column}' does not exist in the target table or view."
            )
    names = list(table.details.get(statement.kind, []))
    exists = statement.name.lower() in {str(name).lower() for name in names}
    if statement.update:
        if statement.name and not exists:
            raise (
                SqlError(2727, f"Cannot find index '{statement.name}'.")
                if noun == "index"
                else SqlError(2767, f"Could not locate statistics '{statement.name}'.")
            )
        return
    if statement.drop:
        if not exists and statement.if_exists:
            return
        if not exists:
            raise SqlError(
                3701, f"Cannot drop the {noun} '{statement.name}', because it does not exist."
            )
        names = [name for name in names if str(name).lower() != statement.name.lower()]
    else:
        if exists and noun == "statistics":
            raise SqlError(
                1927,
                f"There are already statistics on table '{table.name.name}' named "
                f"'{statement.name}'.",
            )
        if exists:
            raise SqlError(1913, f"The index '{statement.name}' already exists on the table.")
        names.append(statement.name)
    details = {**table.details, statement.kind: names}
    if statement.kind == "indexes":
        for part, columns in (
            ("index_columns", statement.columns),
            ("descending", statement.descending),
        ):
            of_index = {statement.name.lower(): [] if statement.drop else list(columns)}
            details[part] = {**table.details.get(part, {}), **of_index}
    work.catalog.change_details(table, details)
