"""CREATE, ALTER, DROP, TRUNCATE and keys: the catalog and DuckDB change together."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import (
    FUNCTION,
    PROCEDURE,
    TABLE,
    VIEW,
    SqlObject,
    TableColumn,
)
from bikecast.embedded.sql_pool.errors import SqlError, failure, refused
from bikecast.embedded.sql_pool.queries.compiler import QueryCompiler
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.profile import check_declared
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.values.scope import Scope, quoted, text_literal
from bikecast.embedded.sql_pool.values.types import MAX, SqlType

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.work import Work


_TYPES = {"TABLE": TABLE, "VIEW": VIEW, "PROCEDURE": PROCEDURE, "FUNCTION": FUNCTION}
#: Schemas that the pool or DuckDB has.
_SCHEMAS = ("bikecast", "sys", "information_schema", "temp", "main")
_COLUMNSTORE = "CLUSTERED COLUMNSTORE INDEX"


def create_table(work: Work, statement: st.CreateTable) -> None:
    """CREATE TABLE and CREATE TABLE AS SELECT."""
    name = statement.name
    if work.catalog.find(name) is not None:
        raise failure("2714", name.name)
    details: dict[str, Any] = {
        "distribution": statement.options.distribution or "ROUND_ROBIN",
        "index": statement.options.index or _COLUMNSTORE,
        "hash_columns": [name.lower() for name in statement.options.hash_columns],
    }
    if statement.query is not None:
        columns, sql = _from_query(work, statement)
    else:
        columns = not_null(name.name, statement.columns, statement.keys)
        declared = ", ".join(
            f"{quoted(c.name)} {c.type.duckdb}{'' if c.nullable else ' NOT NULL'}" for c in columns
        )
        sql = f"({declared})"
    check_columnstore(details["index"], columns)
    labels = default_names(columns)
    if labels:
        details["default_names"] = labels
    if statement.options.index_columns:
        details["index_columns"] = {"": list(statement.options.index_columns)}
        details["descending"] = {"": list(statement.options.descending)}
    keys: list[dict[str, object]] = []
    for key in statement.keys:
        keys = added(work, name, columns, keys, key)
    if keys:
        details["keys"] = keys
    counted = next((c for c in columns if c.identity is not None), None)
    if counted is not None:
        if counted.name.lower() in {c.lower() for c in statement.options.hash_columns}:
            raise SqlError(103010, "An IDENTITY column cannot be the distribution column.")
        details["identity"] = counted.name
        details["identity_steps"] = list(counted.identity or ())
    table = work.catalog.add(name, TABLE, columns=columns, details=details)
    if counted is not None and counted.identity is not None:
        temporary = "TEMP " if name.is_temporary else ""
        seed, increment = counted.identity
        work.run(
            f"CREATE {temporary}SEQUENCE {table.sequence} START {seed} INCREMENT {increment} "
            f"MINVALUE {-(2**63) + 1}"
        )
    noun = "TEMP TABLE" if name.is_temporary else "TABLE"
    work.run(f"CREATE {noun} {table.duckdb_name} {sql}")
    if statement.query is not None:
        for column in columns:
            if not column.nullable:
                work.run(
                    f"ALTER TABLE {table.duckdb_name} ALTER {quoted(column.name)} SET NOT NULL"
                )


def _from_query(
    work: Work, statement: st.CreateTable
) -> tuple[tuple[st.ColumnDefinition, ...], str]:
    assert statement.query is not None  # noqa: S101 # the caller saw it
    query = QueryCompiler(work.context).statement(statement.query)
    try:
        source = query.source(statement.name.name, "q", statement.column_names)
    except SqlError as error:
        if error.number == 8155:
            raise failure("1038") from error
        if error.number == 8156:
            raise failure("2705b", statement.name) from error
        raise
    columns = tuple(
        st.ColumnDefinition(
            c.name, SqlType("int") if c.type.name == "null" else c.type, not c.not_null
        )
        for c in source.columns
    )
    names = {column.name.lower() for column in columns}
    for name in (*statement.options.hash_columns, *statement.options.index_columns):
        if name.lower() not in names:
            raise failure("1911", name)
    selected = ", ".join(f"{c.sql} AS {quoted(c.name)}" for c in source.columns)
    return columns, f"AS SELECT {selected} FROM ({query.sql}) AS q"


def default_names(columns: tuple[st.ColumnDefinition, ...]) -> dict[str, str]:
    """The names that a statement gives to defaults, by the column's name in lower case."""
    return {c.name.lower(): c.default_name for c in columns if c.default_name}


def check_columnstore(index: str, columns: tuple[st.ColumnDefinition | TableColumn, ...]) -> None:
    """A columnstore index, the default, takes no (max) column; such a table is a HEAP."""
    if index != _COLUMNSTORE:
        return
    for column in columns:
        if column.type.length == MAX:
            raise failure("35343", column.name)


def create_view(work: Work, statement: st.CreateView) -> None:
    """CREATE VIEW and ALTER VIEW; the query is checked now and expanded when it is used."""
    reader = Reader(statement.text)
    tree = reader.tree_until(len(reader.tokens))
    if any(table.name.startswith("#") for table in tree.find_all(exp.Table)):
        raise failure("4508")
    columns: tuple[st.ColumnDefinition, ...] = ()
    if tree.find(dialect.Predict) is None:
        query = QueryCompiler(work.context).query(tree, Scope())
        for position, (name, _) in enumerate(query.columns, 1):
            if not name and not statement.columns:
                raise failure("4511", position)
        try:
            if len(statement.columns) > len(query.columns):
                raise failure("4502", statement.name)
            source = query.source(statement.name.name, "q", statement.columns)
        except SqlError as error:
            if error.number != 8156:
                raise
            raise failure("4506", statement.name.name) from error
        columns = tuple(st.ColumnDefinition(c.name, c.type, not c.not_null) for c in source.columns)
    details = {"columns": list(statement.columns), "definition": statement.definition}
    _define(work, statement.name, VIEW, statement.text, details, columns, alter=statement.alter)


def create_function(work: Work, statement: st.CreateFunction) -> None:
    """CREATE FUNCTION and ALTER FUNCTION of a scalar function."""
    _define(work, statement.name, FUNCTION, statement.text, {}, alter=statement.alter)


def create_procedure(work: Work, statement: st.CreateProcedure) -> None:
    """CREATE PROCEDURE and ALTER PROCEDURE; the text was parsed already."""
    if statement.name.is_temporary:
        raise refused("A temporary procedure")
    names = [parameter.name for parameter in statement.parameters]
    for name in names:
        if [other.lower() for other in names].count(name.lower()) > 1:
            raise SqlError(134, f"The variable name '@{name}' has already been declared.")
    check_declared(statement.body, names)
    parameters = [
        {"name": f"@{parameter.name}", "type": parameter.type.name, "output": parameter.output}
        for parameter in statement.parameters
    ]
    details = {"parameters": parameters}
    _define(work, statement.name, PROCEDURE, statement.text, details, alter=statement.alter)


def _define(
    work: Work,
    name: st.ObjectName,
    object_type: str,
    text: str,
    details: dict[str, Any],
    columns: tuple[st.ColumnDefinition, ...] = (),
    *,
    alter: bool,
) -> None:
    if not alter:
        work.catalog.add(name, object_type, text, columns, details)
        return
    object_ = work.catalog.find(name)
    if object_ is None or object_.type != object_type:
        raise failure("208", str(name))
    work.catalog.redefine(object_, text, details)
    work.catalog.change_columns(
        object_, tuple(TableColumn(c.name, c.type, c.nullable) for c in columns)
    )


def drop(work: Work, statement: st.Drop) -> None:
    """DROP of tables, views, procedures, functions or a schema."""
    if statement.kind == "SCHEMA":
        _drop_schema(work, statement)
        return
    for name in statement.names:
        object_ = work.catalog.find(name)
        if object_ is None and statement.if_exists:
            continue
        noun = statement.kind.lower()
        if object_ is not None and object_.type != _TYPES[statement.kind]:
            actual = next(word for word, code in _TYPES.items() if code == object_.type)
            raise failure("3705", statement.kind, name, name, actual.lower(), actual)
        if object_ is None:
            raise failure("3701c", noun, name)
        if object_.type == TABLE:
            work.run(f"DROP TABLE {object_.duckdb_name}")
            if object_.details.get("identity"):
                work.run(f"DROP SEQUENCE {object_.sequence}")
        work.catalog.remove(object_)


def _drop_schema(work: Work, statement: st.Drop) -> None:
    name = statement.names[0].name
    if not work.catalog.has_schema(name) or name.lower() == "dbo":
        if statement.if_exists and name.lower() != "dbo":
            return
        raise SqlError(15151, f"Cannot drop the schema '{name}', because it does not exist.")
    if work.catalog.in_schema(name):
        raise SqlError(3729, f"Cannot drop schema '{name}' because it is being referenced.")
    work.run(f"DROP SCHEMA {quoted(name)}")


def truncate(work: Work, statement: st.Truncate) -> None:
    """TRUNCATE TABLE."""
    table = work.catalog.find(statement.name)
    if table is None or table.type != TABLE:
        raise failure("4701", statement.name.name)
    work.run(f"TRUNCATE {table.duckdb_name}")


def create_schema(work: Work, statement: st.CreateSchema) -> None:
    """CREATE SCHEMA."""
    if statement.name.lower() in _SCHEMAS or work.catalog.has_schema(statement.name):
        raise SqlError(2714, f"There is already an object named '{statement.name}'.")
    if work.run(f"SELECT 1 WHERE current_database() = {text_literal(statement.name)}"):
        # DuckDB could not tell the two apart
        raise refused("A schema with the name of the database")
    if statement.owner.lower() != "dbo":
        raise failure("15151", statement.owner)
    work.run(f"CREATE SCHEMA {quoted(statement.name)}")


def existing_table(work: Work, name: st.ObjectName) -> SqlObject:
    """The table of a name.

    Raises SqlError 208, or 4406 for a view, which cannot be written.
    """
    table = work.catalog.find(name)
    if table is None or table.type not in (TABLE, VIEW):
        raise failure("208", str(name))
    if table.type == VIEW:
        raise SqlError(4406, f"The view '{name}' cannot be changed in the embedded SQL pool.")
    return table


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
            raise failure("8111", table)
    return tuple(replace(c, nullable=False) if c.name.lower() in primary else c for c in columns)


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
            raise failure("1911", column)
    kept = [by_name[column.lower()] for column in key.columns]
    if len({column.name for column in kept}) < len(kept):
        raise SqlError(1909, "Cannot use duplicate column names in a key.")
    if key.kind == "PK":
        if any(other["kind"] == "PK" for other in keys):
            raise failure("8110", name.name)
        if any(column.nullable for column in kept):
            raise failure("8111", name.name)
    names = {str(other["name"]).lower() for other in keys}
    if key.name and (key.name.lower() in names or work.catalog.has_key(name.schema, key.name)):
        raise failure("2714", key.name)
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
