"""ALTER TABLE, which writes the table anew in the same transaction, and new names.

Indexes and statistics change no result here, so they are names in the catalog.
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bikecast.embedded.sql_pool.catalog.catalog import (
    TABLE,
    VIEW,
    SqlObject,
    TableColumn,
    duckdb_name,
)
from bikecast.embedded.sql_pool.errors import SqlError, failure, refused
from bikecast.embedded.sql_pool.statements.changes import default_value
from bikecast.embedded.sql_pool.statements.definitions import (
    add_key,
    check_columnstore,
    check_in_no_key,
    default_names,
    existing_table,
    not_null,
    table_keys,
)
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.names import cross_database, database, is_current
from bikecast.embedded.sql_pool.syntax.statements import (
    ObjectName,
    ParameterDefinition,
    Rename,
    Transfer,
)
from bikecast.embedded.sql_pool.values.conversion import assign
from bikecast.embedded.sql_pool.values.patterns import name_part
from bikecast.embedded.sql_pool.values.scope import Typed, quoted
from bikecast.embedded.sql_pool.values.types import nvarchar

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
        raise failure("4902", statement.name)
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
            raise failure("2705", new.name, table.name)
        if new.identity is not None:
            raise refused("ALTER TABLE that adds an IDENTITY column")
        column = TableColumn(new.name, new.type, new.nullable, new.default_text)
        value = f"CAST(NULL AS {new.type.duckdb})"
        if not new.nullable:  # a column that allows NULL gets its default in new rows only
            if filled and not new.default_text:
                raise failure("4901", new.name)
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
            raise failure("4924b", name, table.name.name)
        check_in_no_key(table, column.name)
        used = str(table.details.get("hash_columns", [])).lower()
        if column.default_text or f"'{name.lower()}'" in used:
            raise failure("5074", name)
        gone.add(column.name)
    columns = [(c, quoted(c.name)) for c in table.columns if c.name not in gone]
    if not columns:
        raise SqlError(4923, "A table must keep at least one column.")
    _rewrite(work, table, columns)


def _change_type(work: Work, table: SqlObject, new: st.ColumnDefinition) -> None:
    old = table.column(new.name)
    if old is None:
        raise failure("4924", new.name, table.name.name)
    if new.default_text or new.identity is not None or new.keys:
        raise refused("ALTER COLUMN with more than a type and NULL or NOT NULL")
    if old.name == table.details.get("identity"):
        raise refused("ALTER COLUMN of an IDENTITY column")
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
        raise failure("3701b", noun, statement.table, statement.name)
    table = existing_table(work, statement.table)
    for column in statement.columns:
        if table.column(column) is None:
            raise failure("1911", column)
    names = list(table.details.get(statement.kind, []))
    exists = statement.name.lower() in {str(name).lower() for name in names}
    if statement.update:
        if statement.name and not exists:
            raise failure("2727" if noun == "index" else "2767", statement.name)
        if noun == "statistics":
            updated = [statement.name] if statement.name else names
            work.catalog.change_details(table, _dated(work, table.details, updated))
        return
    if statement.drop:
        if not exists and statement.if_exists:
            return
        if not exists:
            raise failure("3701", noun, statement.name)
        names = [name for name in names if str(name).lower() != statement.name.lower()]
    else:
        if exists and noun == "statistics":
            raise failure("1927", table.name.name, statement.name)
        if exists:
            raise SqlError(1913, f"The index '{statement.name}' already exists on the table.")
        names.append(statement.name)
    details = {**table.details, statement.kind: names}
    if noun == "statistics" and not statement.drop:
        of_name = {statement.name.lower(): list(statement.columns)}
        details["statistics_columns"] = {**details.get("statistics_columns", {}), **of_name}
        details = _dated(work, details, [statement.name])
    if statement.kind == "indexes":
        for part, columns in (
            ("index_columns", statement.columns),
            ("descending", statement.descending),
        ):
            of_index = {statement.name.lower(): [] if statement.drop else list(columns)}
            details[part] = {**table.details.get(part, {}), **of_index}
    work.catalog.change_details(table, details)


def _dated(work: Work, details: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Details with this moment as the date of some statistics."""
    dates = {name.lower(): str(work.context.now) for name in names}
    return {**details, "statistics_dates": {**details.get("statistics_dates", {}), **dates}}


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
        raise failure("208", str(statement.name))
    new = ObjectName(statement.new_name, statement.name.schema)
    if table.name.is_temporary or new.is_temporary:
        raise SqlError(103010, "RENAME OBJECT of a temporary table is not supported.")
    if work.catalog.find(new) is not None:
        raise failure("2714", new.name)
    if table.type == TABLE:
        work.run(f"ALTER TABLE {table.duckdb_name} RENAME TO {quoted(new.name)}")
    work.catalog.rename(table, new)


def transfer(work: Work, statement: Transfer) -> None:
    """ALTER SCHEMA ... TRANSFER; DuckDB has none, so the rows of a table are written anew."""
    if not work.catalog.has_schema(statement.schema):
        raise failure("15151b", "alter the schema", statement.schema)
    object_ = work.catalog.find(statement.name)
    if object_ is None or object_.name.is_temporary:
        raise failure("15151b", "find the object", statement.name.name)
    new = ObjectName(object_.name.name, statement.schema)
    if work.catalog.find(new) is not None:
        raise SqlError(15530, f'The object with name "{new.name}" already exists.')
    if object_.type == TABLE:
        write_copy(work, object_, new, [(c, quoted(c.name)) for c in object_.columns])
    work.catalog.rename(object_, new)


def rename_column(work: Work, place: str, new: str, object_type: str) -> None:
    """sp_rename of 'table.column' or 'schema.table.column'.

    Raises SqlError 15248 where there is no such column, 15004 for a new name that is empty and
    15335 for one that is taken.
    """
    if object_type.upper() != "COLUMN":
        raise refused("sp_rename of anything but a COLUMN", "Use RENAME OBJECT for a table.")
    if not is_current(name_part(place, 4) or database()):
        raise cross_database([place])
    old, name, schema = (name_part(place, piece) or "" for piece in (1, 2, 3))
    table = work.catalog.find(ObjectName(name, schema or "dbo"))
    column = table.column(old) if table else None
    if table is None or table.type != TABLE or column is None or table.name.is_temporary:
        raise failure("15248")
    if not new.strip():
        raise SqlError(15004, "Name cannot be NULL.")
    if any(c is not column and c.name.lower() == new.lower() for c in table.columns):
        raise failure("15335", new)
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
    for part in ("index_columns", "descending", "statistics_columns"):
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
