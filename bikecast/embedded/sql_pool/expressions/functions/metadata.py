"""Metadata functions: names and properties of objects, columns and types.

Source: https://learn.microsoft.com/sql/t-sql/functions/metadata-functions-transact-sql
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.system_views import system_view
from bikecast.embedded.sql_pool.errors import not_emulated
from bikecast.embedded.sql_pool.expressions.protocol import Compiler, Function
from bikecast.embedded.sql_pool.syntax.names import DATABASE, named
from bikecast.embedded.sql_pool.values.conversion import convert
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import INT, SqlType, nvarchar

_NAME = nvarchar(128)
_SMALLINT = SqlType("smallint")
_POOL_ID = 5


def _view(name: str) -> tuple[str, dict[str, str]]:
    """A catalog view's SQL, and the DuckDB names of its columns."""
    schema, _, rest = name.partition(".")
    query = system_view(schema, rest)
    assert query is not None  # noqa: S101 # the names are those of the file
    return query.sql, {column.lower(): f"v.c{i}" for i, (column, _) in enumerate(query.columns, 1)}


def _lookup(view: str, column: str, type_: SqlType, **conditions: str) -> Typed:
    """A column of the row where other columns have these values."""
    sql, columns = _view(view)
    where = " AND ".join(f"{columns[name]} = {value}" for name, value in conditions.items())
    return Typed(f"(SELECT max({columns[column]}) FROM ({sql}) AS v WHERE {where})", type_)


def _values(
    compiler: Compiler, node: exp.Expression, *types: SqlType, optional: int = 0
) -> list[str]:
    arguments = compiler.arguments(node, len(types) - optional, len(types))
    return [
        convert(compiler.value(item), type_).sql
        for item, type_ in zip(arguments, types, strict=False)
    ]


def _object_id(compiler: Compiler, node: exp.Expression) -> Typed:
    arguments = [compiler.value(item) for item in compiler.arguments(node, 1, 2)]
    if len(arguments) == 2 and arguments[1].constant is None:
        raise not_emulated("OBJECT_ID of a type that is not a constant or a variable")
    code = (arguments[1].constant or "").strip() if len(arguments) == 2 else ""
    if arguments[0].constant is None:
        return _object_id_of_value(arguments[0], code)
    name = named(arguments[0].constant.strip())
    object_ = compiler.context.catalog.find(name) if name else None
    if object_ and code and object_.type.strip() != code.upper():
        object_ = None
    return Typed(str(object_.object_id), INT) if object_ else Typed("CAST(NULL AS INTEGER)", INT)


def _object_id_of_value(value: Typed, code: str) -> Typed:
    """OBJECT_ID of a column: names without a dot inside of a part."""
    parts = f"string_split(translate({convert(value, _NAME).sql}, '[]\"', ''), '.')"
    more = f" AND trim(type) = '{''.join(filter(str.isalpha, code))}'" if code else ""
    return Typed(
        f"(SELECT max(object_id) FROM bikecast.objects WHERE name = {parts}[-1] AND schema_name = "
        f"coalesce(nullif({parts}[-2], ''), 'dbo') AND coalesce({parts}[-3], '{DATABASE}') = "
        f"'{DATABASE}'{more})",
        INT,
    )


def _name_of_object(column: str) -> Function:
    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        values = _values(compiler, node, INT, INT, optional=1)
        sql = f"(SELECT max({column}) FROM bikecast.objects WHERE object_id = {values[0]})"
        return Typed(sql, _NAME)

    return compile_call


def _schema_name(compiler: Compiler, node: exp.Expression) -> Typed:
    values = _values(compiler, node, INT, optional=1)
    if not values:
        return Typed("'dbo'", _NAME)
    return _lookup("sys.schemas", "name", _NAME, schema_id=values[0])


def _schema_id(compiler: Compiler, node: exp.Expression) -> Typed:
    values = _values(compiler, node, _NAME, optional=1)
    return _lookup("sys.schemas", "schema_id", INT, name=values[0] if values else "'dbo'")


def _database_id(compiler: Compiler, node: exp.Expression) -> Typed:
    values = _values(compiler, node, _NAME, optional=1)
    if not values:
        return Typed(str(_POOL_ID), _SMALLINT)
    return Typed(f"(CASE WHEN {values[0]} = '{DATABASE}' THEN {_POOL_ID} END)", _SMALLINT)


def _database_name(compiler: Compiler, node: exp.Expression) -> Typed:
    values = _values(compiler, node, INT, optional=1)
    if not values:
        return Typed(f"'{DATABASE}'", _NAME)
    return Typed(f"(CASE WHEN {values[0]} = {_POOL_ID} THEN '{DATABASE}' END)", _NAME)


def _looked_up(view: str, column: str, type_: SqlType, **arguments: SqlType) -> Function:
    """A column of the row where the columns that the arguments are named by have their values."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        values = _values(compiler, node, *arguments.values())
        return _lookup(view, column, type_, **dict(zip(arguments, values, strict=True)))

    return compile_call


def _column_length(compiler: Compiler, node: exp.Expression) -> Typed:
    table = _object_id(compiler, exp.Anonymous(this="OBJECT_ID", expressions=node.expressions[:1]))
    _, column = _values(compiler, node, _NAME, _NAME)
    return _lookup("sys.columns", "max_length", _SMALLINT, object_id=table.sql, name=column)


def _part_of_name(compiler: Compiler, node: exp.Expression) -> Typed:
    name, piece = _values(compiler, node, nvarchar(517), INT)
    return Typed(f"tsql_name_part({name}, {piece})", _NAME)


def _session_id(compiler: Compiler, node: exp.Expression) -> Typed:
    """As a dedicated pool writes the number of the session."""
    compiler.arguments(node, 0, 0)
    number, _ = compiler.context.server["SPID"]
    return Typed(f"'SID{number}'", nvarchar(32))


#: Properties of COLUMNPROPERTY, by the column of sys.columns that holds them.
_COLUMN_PROPERTIES = {
    "ALLOWSNULL": "is_nullable",
    "ISIDENTITY": "is_identity",
    "ISCOMPUTED": "is_computed",
    "PRECISION": "precision",
    "SCALE": "scale",
    "COLUMNID": "column_id",
    "CHARMAXLEN": "max_length",
}


def _column_property(compiler: Compiler, node: exp.Expression) -> Typed:
    table, column, _ = _values(compiler, node, INT, _NAME, _NAME)
    name = (compiler.value(node.expressions[2]).constant or "").upper()
    if name not in _COLUMN_PROPERTIES:
        return Typed("CAST(NULL AS INTEGER)", INT)
    setting = _lookup("sys.columns", _COLUMN_PROPERTIES[name], INT, object_id=table, name=column)
    value = f"CAST({setting.sql} AS INTEGER)"
    if name in ("PRECISION", "CHARMAXLEN"):  # of text in characters
        type_id = _lookup("sys.columns", "system_type_id", INT, object_id=table, name=column).sql
        size = _lookup("sys.columns", "max_length", INT, object_id=table, name=column).sql
        length = (
            f"(CASE WHEN {type_id} IN (231, 239) AND {size} > 0 THEN {size} // 2 ELSE {size} END)"
        )
        other = value if name == "PRECISION" else "NULL"
        texts = "167, 175, 231, 239" if name == "CHARMAXLEN" else "165, 167, 173, 175, 231, 239"
        value = f"CAST(CASE WHEN {type_id} IN ({texts}) THEN {length} ELSE {other} END AS INTEGER)"
    return Typed(value, INT)


_OBJECT_PROPERTIES = {
    "ISTABLE": "U ",
    "ISUSERTABLE": "U ",
    "ISVIEW": "V ",
    "ISPROCEDURE": "P ",
    "ISSCALARFUNCTION": "FN",
}


def _object_property(compiler: Compiler, node: exp.Expression) -> Typed:
    number, _ = _values(compiler, node, INT, _NAME)
    code = _OBJECT_PROPERTIES.get((compiler.value(node.expressions[1]).constant or "").upper())
    if code is None:
        return Typed("CAST(NULL AS INTEGER)", INT)
    sql = f"(SELECT max(CAST(type = '{code}' AS INTEGER)) FROM bikecast.objects "
    return Typed(f"{sql}WHERE object_id = {number})", INT)


def _fixed(value: str) -> Function:
    """A function without arguments (some take an optional one) that names the session's user."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        compiler.arguments(node, 0, 1)
        return Typed(f"'{value}'", _NAME)

    return compile_call


METADATA_FUNCTIONS: dict[str, Function] = {
    "OBJECT_ID": _object_id,
    "OBJECT_NAME": _name_of_object("name"),
    "OBJECT_SCHEMA_NAME": _name_of_object("schema_name"),
    "OBJECT_DEFINITION": _name_of_object(
        "coalesce(nullif(json_extract_string(details, '$.definition'), ''), nullif(definition, ''))"
    ),
    "OBJECTPROPERTY": _object_property,
    "OBJECTPROPERTYEX": _object_property,
    "SCHEMA_NAME": _schema_name,
    "SCHEMA_ID": _schema_id,
    "DB_ID": _database_id,
    "DB_NAME": _database_name,
    "TYPE_NAME": _looked_up("sys.types", "name", _NAME, user_type_id=INT),
    "TYPE_ID": _looked_up("sys.types", "user_type_id", INT, name=_NAME),
    "COL_NAME": _looked_up("sys.columns", "name", _NAME, object_id=INT, column_id=INT),
    "COL_LENGTH": _column_length,
    "COLUMNPROPERTY": _column_property,
    "PARSENAME": _part_of_name,
    "SESSION_ID": _session_id,
    "USER_NAME": _fixed("dbo"),
    "CURRENT_USER": _fixed("dbo"),
    "SESSION_USER": _fixed("dbo"),
    "USER": _fixed("dbo"),
    "SYSTEM_USER": _fixed("bikecast"),
    "SUSER_NAME": _fixed("bikecast"),
    "SUSER_SNAME": _fixed("bikecast"),
}
