"""CREATE, ALTER, DROP and TRUNCATE: the catalog and DuckDB change together."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

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
from bikecast.embedded.sql_pool.errors import SqlError, invalid_object, not_emulated
from bikecast.embedded.sql_pool.queries.compiler import QueryCompiler
from bikecast.embedded.sql_pool.statements.keys import added, not_null
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.names import is_current
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.syntax.undeclared import check_declared
from bikecast.embedded.sql_pool.values.scope import Scope, quoted
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
        raise SqlError(2714, f"There is already an object named '{name.name}' in the database.")
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
            raise SqlError(
                1038,
                "An object or column name is missing or empty. Each column of a new table needs a "
                "name.",
            ) from error
        if error.number == 8156:
            raise SqlError(
                2705,
                "Column names in each table must be unique. A column name in table "
                f"'{statement.name}' is specified more than once.",
            ) from error
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
            raise SqlError(1911, f"Column name '{name}' does not exist in the target table.")
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
            raise SqlError(
                35343,
                f"The statement failed. Column '{column.name}' has a data type that cannot "
                "participate in a columnstore index. Add HEAP to the WITH clause.",
            )


def create_view(work: Work, statement: st.CreateView) -> None:
    """CREATE VIEW and ALTER VIEW; the query is checked now and expanded when it is used."""
    reader = Reader(statement.text)
    tree = reader.tree_until(len(reader.tokens))
    if any(table.name.startswith("#") for table in tree.find_all(exp.Table)):
        raise SqlError(
            4508,
            "Views or functions are not allowed on temporary tables. Table names that begin with "
            "'#' denote temporary tables.",
        )
    columns: tuple[st.ColumnDefinition, ...] = ()
    if tree.find(dialect.Predict) is None:
        query = QueryCompiler(work.context).query(tree, Scope())
        for position, (name, _) in enumerate(query.columns, 1):
            if not name and not statement.columns:
                raise SqlError(
                    4511,
                    "Create View or Function failed because no column name was specified for "
                    f"column {position}.",
                )
        try:
            if len(statement.columns) > len(query.columns):
                raise SqlError(
                    4502,
                    f"View or function '{statement.name}' has more column names specified than "
                    "columns defined.",
                )
            source = query.source(statement.name.name, "q", statement.columns)
        except SqlError as error:
            if error.number != 8156:
                raise
            raise SqlError(
                4506,
                "Column names in each view or function must be unique. A column name in view or "
                f"function '{statement.name.name}' is specified more than once.",
            ) from error
        columns = tuple(st.ColumnDefinition(c.name, c.type, not c.not_null) for c in source.columns)
    details = {"columns": list(statement.columns), "definition": statement.definition}
    _define(work, statement.name, VIEW, statement.text, details, columns, alter=statement.alter)


def create_function(work: Work, statement: st.CreateFunction) -> None:
    """CREATE FUNCTION and ALTER FUNCTION of a scalar function."""
    _define(work, statement.name, FUNCTION, statement.text, {}, alter=statement.alter)


def create_procedure(work: Work, statement: st.CreateProcedure) -> None:
    """CREATE PROCEDURE and ALTER PROCEDURE; the text was parsed already."""
    if statement.name.is_temporary:
        raise SqlError(103010, "A temporary procedure is not supported in a dedicated SQL pool.")
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
        raise invalid_object(str(name))
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
            raise SqlError(
                3705,
                f"Cannot use DROP {statement.kind} with '{name}' because '{name}' is a "
                f"{actual.lower()}. Use DROP {actual}.",
            )
        if object_ is None:
            raise SqlError(
                3701,
                f"Cannot drop the {noun} '{name}', because it does not exist or you do not "
                "have permission.",
                severity=11,
            )
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
        raise SqlError(
            4701,
            f'Cannot find the object "{statement.name.name}" because it does not exist or you do '
            "not have permissions.",
        )
    work.run(f"TRUNCATE {table.duckdb_name}")


def create_schema(work: Work, statement: st.CreateSchema) -> None:
    """CREATE SCHEMA."""
    if statement.name.lower() in _SCHEMAS or work.catalog.has_schema(statement.name):
        raise SqlError(2714, f"There is already an object named '{statement.name}'.")
    if is_current(statement.name):  # DuckDB could not tell the two apart
        raise not_emulated("A schema with the name of the database")
    if statement.owner.lower() != "dbo":
        raise SqlError(
            15151,
            f"Cannot find the user '{statement.owner}', because it does not exist or you do not "
            "have permission.",
        )
    work.run(f"CREATE SCHEMA {quoted(statement.name)}")


def existing_table(work: Work, name: st.ObjectName) -> SqlObject:
    """The table of a name.

    Raises SqlError 208, or 4406 for a view, which cannot be written.
    """
    table = work.catalog.find(name)
    if table is None or table.type not in (TABLE, VIEW):
        raise invalid_object(str(name))
    if table.type == VIEW:
        raise SqlError(4406, f"The view '{name}' cannot be changed in the embedded SQL pool.")
    return table
