"""Metadata functions: names and properties of objects, columns and types.

Source: https://learn.microsoft.com/sql/t-sql/functions/metadata-functions-transact-sql
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.system_views import system_view
from bikecast.embedded.sql_pool.errors import refused
from bikecast.embedded.sql_pool.expressions.context import Compiler, Function
from bikecast.embedded.sql_pool.expressions.functions.templates import template
from bikecast.embedded.sql_pool.syntax.names import database, named
from bikecast.embedded.sql_pool.values.conversion import convert
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import INT, SqlType, nvarchar

_NAME = nvarchar(128)
_SMALLINT = SqlType("smallint")


def _here() -> str:
    """The name of the database, as text in DuckDB, where it compares without case."""
    return text_literal(database())


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
        raise refused("OBJECT_ID of a type that is not a constant or a variable")
    code = (arguments[1].constant or "").strip() if len(arguments) == 2 else ""
    if arguments[0].constant is None:
        return _object_id_of_value(arguments[0], code)
    name = named(arguments[0].constant.strip())
    object_ = compiler.context.catalog.find(name) if name else None
    if object_ and code and object_.type.strip() != code.upper():
        object_ = None
    return Typed(str(object_.object_id), INT) if object_ else Typed("CAST(NULL AS INTEGER)", INT)


def _object_id_of_value(value: Typed, code: str) -> Typed:
    """OBJECT_ID of a column."""
    text = f"trim({convert(value, _NAME).sql})"
    name, schema, database, server = (f"tsql_name_part({text}, {i})" for i in (1, 2, 3, 4))
    more = f" AND trim(type) = '{''.join(filter(str.isalpha, code))}'" if code else ""
    return Typed(
        f"(SELECT max(object_id) FROM bikecast.objects WHERE name = {name} AND schema_name = "
        f"coalesce({schema}, 'dbo') AND coalesce({database}, {_here()}) = {_here()} "
        f"AND {server} IS NULL{more})",
        INT,
    )


def _looked_up(
    view: str, column: str, type_: SqlType, default: str = "", **arguments: SqlType
) -> Function:
    """A column of the row where the columns that the arguments are named by have their values.

    One argument that has a default may be left out.
    """

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        values = _values(compiler, node, *arguments.values(), optional=int(bool(default)))
        values = values or [default]
        return _lookup(view, column, type_, **dict(zip(arguments, values, strict=True)))

    return compile_call


def _column_length(compiler: Compiler, node: exp.Expression) -> Typed:
    table = _object_id(compiler, exp.Anonymous(this="OBJECT_ID", expressions=node.expressions[:1]))
    _, column = _values(compiler, node, _NAME, _NAME)
    return _lookup("sys.columns", "max_length", _SMALLINT, object_id=table.sql, name=column)


def _session_id(compiler: Compiler, node: exp.Expression) -> Typed:
    """As a dedicated pool writes the number of the session."""
    compiler.arguments(node, 0, 0)
    number, _ = compiler.context.server["SPID"]
    return Typed(f"'SID{number}'", nvarchar(32))


def _listed(text: str) -> dict[str, tuple[object, SqlType]]:
    """Values of properties by upper-case name; digits alone are an int."""
    items = (item.split("=") for item in text.split(";"))
    return {k: (int(v), INT) if v.isdigit() and len(v) == 1 else (v, _NAME) for k, v in items}


#: SERVERPROPERTY: https://learn.microsoft.com/sql/t-sql/functions/serverproperty-transact-sql
_SERVER_PROPERTIES = _listed(  # engine edition 6 is a dedicated pool
    "EDITION=SQL Azure;ENGINEEDITION=6;PRODUCTVERSION=12.0.2000.8;PRODUCTMAJORVERSION=12;"
    "PRODUCTBUILD=2000;PRODUCTLEVEL=RTM;SERVERNAME=bikecast;ISCLUSTERED=0;ISHADRENABLED=0;"
    "COLLATION=SQL_Latin1_General_CP1_CI_AS;ISINTEGRATEDSECURITYONLY=0;ISFULLTEXTINSTALLED=0;"
    "ISXTPSUPPORTED=0"
)
#: https://learn.microsoft.com/sql/t-sql/functions/databasepropertyex-transact-sql
_DATABASE_PROPERTIES = _listed(
    "COLLATION=SQL_Latin1_General_CP1_CI_AS;EDITION=DataWarehouse;STATUS=ONLINE;"
    "UPDATEABILITY=READ_WRITE;USERACCESS=MULTI_USER;ISAUTOCREATESTATISTICS=0;"
    "ISAUTOUPDATESTATISTICS=0"
)


def _properties(properties: dict[str, tuple[object, SqlType]], names: int) -> Function:
    """A function of a property behind `names` names of databases; NULL for another of either."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        arguments = compiler.arguments(node, names + 1, names + 1)
        *databases, name = (compiler.value(item) for item in arguments)
        if name.constant is None and name.type.name != "null":
            raise refused(f"{node.name.upper()} of a property that is not a constant")
        value, type_ = properties.get((name.constant or "").strip().upper(), (None, _NAME))
        sql = compiler.context.bind(value, type_)
        for given in databases:
            sql = f"(CASE WHEN {given.sql} = {_here()} THEN {sql} END)"
        return Typed(sql, type_)

    return compile_call


def _statistics_date(compiler: Compiler, node: exp.Expression) -> Typed:
    """STATS_DATE of statistics; the pool keeps none by itself."""
    table, number = _values(compiler, node, INT, INT)
    name = _lookup("sys.stats", "name", _NAME, object_id=table, stats_id=number).sql
    dates = "CAST(json_extract(details, '$.statistics_dates') AS MAP(VARCHAR, VARCHAR))"
    sql = f"(SELECT {dates}[lower({name})] FROM bikecast.objects WHERE object_id = {table})"
    return Typed(f"CAST({sql} AS TIMESTAMP)", SqlType("datetime"))


_IS_TEXT = "system_type_id IN (167, 175, 231, 239)"
#: In characters.
_LENGTH = "max_length // (1 + CAST(system_type_id IN (231, 239) AND max_length > 0 AS INTEGER))"
_SIZE = f"CASE WHEN {_IS_TEXT} OR system_type_id IN (165, 173) THEN {_LENGTH}"
#: By upper-case name, an expression over the columns of the view that has the rows.
_COLUMN_PROPERTIES = {
    "ALLOWSNULL": "is_nullable",
    "ISIDENTITY": "is_identity",
    "ISCOMPUTED": "is_computed",
    "PRECISION": f"{_SIZE} ELSE precision END",
    "SCALE": "scale",
    "COLUMNID": "column_id",
    "CHARMAXLEN": f"CASE WHEN {_IS_TEXT} THEN {_LENGTH} END",
}
_OBJECT_PROPERTIES = {
    "ISTABLE": "type = 'U '",
    "ISUSERTABLE": "type = 'U '",
    "ISVIEW": "type = 'V '",
    "ISPROCEDURE": "type = 'P '",
    "ISSCALARFUNCTION": "type = 'FN'",
}
_INDEX_PROPERTIES = {
    "INDEXID": "index_id",
    "ISCLUSTERED": "CASE WHEN type IN (1, 5) THEN 1 ELSE 0 END",
    "ISCOLUMNSTORE": "CASE WHEN type = 5 THEN 1 ELSE 0 END",
    "ISUNIQUE": "CAST(is_unique AS INTEGER)",
    "ISDISABLED": "0",
    "ISHYPOTHETICAL": "0",
    "ISSTATISTICS": "0",
}
_TYPE_PROPERTIES = {
    "PRECISION": f"CASE WHEN precision > 0 THEN precision ELSE {_LENGTH} END",
    "SCALE": "CASE WHEN precision > 0 THEN scale END",
    "ALLOWSNULL": "CAST(is_nullable AS INTEGER)",
    "OWNERID": "1",
    "USESANSITRIM": "CASE WHEN precision = 0 THEN 1 END",
}


def _row_property(view: str, key: tuple[str, ...], properties: dict[str, str]) -> Function:
    """A property of the row of a view that the arguments before it name."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        types = [INT if column == "object_id" else _NAME for column in key]
        values = _values(compiler, node, *types, _NAME)
        name = (compiler.value(node.expressions[-1]).constant or "").strip().upper()
        if name not in properties:
            return Typed("CAST(NULL AS INTEGER)", INT)
        sql, columns = _view(view)
        names = ", ".join(f"{place} AS {column}" for column, place in columns.items())
        where = " AND ".join(f"{c} = {v}" for c, v in zip(key, values, strict=False))
        rows = f"(SELECT {names} FROM ({sql}) AS v)"
        selected = f"SELECT max(CAST({properties[name]} AS INTEGER)) FROM {rows} AS p"
        return Typed(f"({selected} WHERE {where})", INT)

    return compile_call


def _of_object(sql: str) -> Function:
    """An expression over the row of the object of a number; the database may be named."""
    rows = "FROM bikecast.objects WHERE object_id = {0}"
    return template(f"(SELECT max({sql}) {rows})", _NAME, INT, INT, defaults=("NULL",))


def _user(name: str) -> Function:
    """A function that names the session's user; some take an argument."""
    return template(f"'{name}'", _NAME, lambda compiler, node: compiler.value(node), defaults=("",))


METADATA_FUNCTIONS: dict[str, Function] = {
    "OBJECT_ID": _object_id,
    "OBJECT_NAME": _of_object("name"),
    "OBJECT_SCHEMA_NAME": _of_object("schema_name"),
    "OBJECT_DEFINITION": _of_object(
        "coalesce(nullif(json_extract_string(details, '$.definition'), ''), nullif(definition, ''))"
    ),
    "OBJECTPROPERTY": _row_property("sys.objects", ("object_id",), _OBJECT_PROPERTIES),
    "OBJECTPROPERTYEX": _row_property("sys.objects", ("object_id",), _OBJECT_PROPERTIES),
    "SCHEMA_NAME": _looked_up("sys.schemas", "name", _NAME, "1", schema_id=INT),
    "SCHEMA_ID": _looked_up("sys.schemas", "schema_id", INT, "'dbo'", name=_NAME),
    "DB_ID": template(
        "(CASE WHEN {0} = {database} THEN 5 END)", _SMALLINT, _NAME, defaults=("{database}",)
    ),
    "DB_NAME": template("(CASE WHEN {0} = 5 THEN {database} END)", _NAME, INT, defaults=("5",)),
    "TYPE_NAME": _looked_up("sys.types", "name", _NAME, user_type_id=INT),
    "TYPE_ID": _looked_up("sys.types", "user_type_id", INT, name=_NAME),
    "COL_NAME": _looked_up("sys.columns", "name", _NAME, object_id=INT, column_id=INT),
    "COL_LENGTH": _column_length,
    "COLUMNPROPERTY": _row_property("sys.columns", ("object_id", "name"), _COLUMN_PROPERTIES),
    "PARSENAME": template("tsql_name_part({0}, {1})", _NAME, nvarchar(517), INT),
    "SESSION_ID": _session_id,
    "SERVERPROPERTY": _properties(_SERVER_PROPERTIES, 0),
    "DATABASEPROPERTYEX": _properties(_DATABASE_PROPERTIES, 1),
    "HAS_DBACCESS": template("(CASE WHEN {0} = {database} THEN 1 END)", INT, _NAME),
    "STATS_DATE": _statistics_date,
    "INDEXPROPERTY": _row_property("sys.indexes", ("object_id", "name"), _INDEX_PROPERTIES),
    "TYPEPROPERTY": _row_property("sys.types", ("name",), _TYPE_PROPERTIES),
    "USER_NAME": _user("dbo"),
    "CURRENT_USER": _user("dbo"),
    "SESSION_USER": _user("dbo"),
    "USER": _user("dbo"),
    "SYSTEM_USER": _user("bikecast"),
    "SUSER_NAME": _user("bikecast"),
    "SUSER_SNAME": _user("bikecast"),
}
