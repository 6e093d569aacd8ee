"""Catalog views of a dedicated pool that tools query: sys.* and INFORMATION_SCHEMA.*.

Each view is DuckDB SQL over the pool's own catalog, with SQL Server's column names and types.
Source: https://learn.microsoft.com/sql/relational-databases/system-catalog-views
"""
# ruff: noqa: S608 # the text is fixed; nothing of a user's comes into it

from __future__ import annotations

from dataclasses import dataclass

from resources.sql_pool.engine.scope import BoundQuery
from resources.sql_pool.engine.types import parse_declaration

#: Name, system_type_id, max_length, precision, scale of each type:
#: https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-types-transact-sql
_TYPE_ROWS = (
    ("uniqueidentifier", 36, 16, 0, 0),
    ("date", 40, 3, 10, 0),
    ("time", 41, 5, 16, 7),
    ("datetime2", 42, 8, 27, 7),
    ("datetimeoffset", 43, 10, 34, 7),
    ("tinyint", 48, 1, 3, 0),
    ("smallint", 52, 2, 5, 0),
    ("int", 56, 4, 10, 0),
    ("smalldatetime", 58, 4, 16, 0),
    ("real", 59, 4, 24, 0),
    ("money", 60, 8, 19, 4),
    ("datetime", 61, 8, 23, 3),
    ("float", 62, 8, 53, 0),
    ("bit", 104, 1, 1, 0),
    ("decimal", 106, 17, 38, 38),
    ("numeric", 108, 17, 38, 38),
    ("smallmoney", 122, 4, 10, 4),
    ("bigint", 127, 8, 19, 0),
    ("varbinary", 165, 8000, 0, 0),
    ("varchar", 167, 8000, 0, 0),
    ("binary", 173, 8000, 0, 0),
    ("char", 175, 8000, 0, 0),
    ("nvarchar", 231, 8000, 0, 0),
    ("sysname", 231, 256, 0, 0),
    ("nchar", 239, 8000, 0, 0),
)
_TYPES = (
    "(SELECT *, CASE type_name WHEN 'sysname' THEN 256 ELSE type_id END AS user_id FROM (VALUES "
    + ", ".join(f"('{n}', {i}, {m}, {p}, {s})" for n, i, m, p, s in _TYPE_ROWS)
    + ") AS v (type_name, type_id, type_length, type_precision, type_scale)) AS y"
)
_SCHEMAS = (
    "(SELECT schema_name, CASE schema_name WHEN 'dbo' THEN 1 ELSE 16384 + oid END AS schema_id "
    "FROM duckdb_schemas() WHERE database_name = current_database() AND NOT internal AND "
    "schema_name <> 'bikecast' UNION ALL SELECT 'sys', 4 UNION ALL "
    "SELECT 'INFORMATION_SCHEMA', 3) AS s"
)
_OBJECTS = f"bikecast.objects AS o JOIN {_SCHEMAS} USING (schema_name)"
#: Columns with their type taken apart: base, the number in parentheses (-1 for max), the second.
_COLUMNS = (
    "(SELECT c.*, o.type AS object_type, o.schema_name, o.name AS object_name, o.details, "
    "regexp_extract(c.type, '^[a-z0-9]+') AS base, CASE regexp_extract(c.type, '\\((\\w+)', 1) "
    "WHEN '' THEN NULL WHEN 'max' THEN -1 ELSE CAST(regexp_extract(c.type, '\\((\\w+)', 1) AS "
    "INTEGER) END AS first, TRY_CAST(regexp_extract(c.type, ',(\\d+)', 1) AS INTEGER) AS second "
    "FROM bikecast.columns AS c JOIN bikecast.objects AS o USING (object_id)) AS c "
    f"JOIN {_TYPES} ON y.type_name = c.base"
)
_LENGTH = (
    "CASE WHEN first = -1 THEN -1 WHEN base IN ('nvarchar', 'nchar') THEN 2 * first "
    "WHEN base IN ('varchar', 'char', 'varbinary', 'binary') THEN first "
    "WHEN base = 'decimal' THEN CASE WHEN first < 10 THEN 5 WHEN first < 20 THEN 9 WHEN first < 29 "
    "THEN 13 ELSE 17 END WHEN base = 'datetime2' THEN CASE WHEN first < 3 THEN 6 WHEN first < 5 "
    "THEN 7 ELSE 8 END WHEN base = 'datetimeoffset' THEN CASE WHEN first < 3 THEN 8 WHEN first < 5 "
    "THEN 9 ELSE 10 END WHEN base = 'time' THEN CASE WHEN first < 3 THEN 3 WHEN first < 5 THEN 4 "
    "ELSE 5 END ELSE type_length END"
)
_SCALED = "base IN ('datetime2', 'time', 'datetimeoffset')"
_PRECISION = (
    "CASE WHEN base = 'decimal' THEN first WHEN base = 'datetime2' THEN 19 + first + (first > 0)::"
    "INTEGER WHEN base = 'datetimeoffset' THEN 26 + first + (first > 0)::INTEGER WHEN base = 'time'"
    " THEN 8 + first + (first > 0)::INTEGER ELSE type_precision END"
)
_SCALE = (
    f"CASE WHEN base = 'decimal' THEN second WHEN {_SCALED} THEN first ELSE type_scale END"
)
_IDENTITY = "coalesce(lower(json_extract_string(details, '$.identity')) = lower(c.name), false)"
_TEXT = "base IN ('varchar', 'nvarchar', 'char', 'nchar')"
_INTEGER = "base IN ('tinyint', 'smallint', 'int', 'bigint')"
_EXACT = f"({_INTEGER} OR base IN ('decimal', 'money', 'smallmoney'))"
_KINDS = {
    "U ": "USER_TABLE",
    "V ": "VIEW",
    "P ": "SQL_STORED_PROCEDURE",
    "FN": "SQL_SCALAR_FUNCTION",
}
_KIND = "CASE o.type " + " ".join(f"WHEN '{k}' THEN '{v}'" for k, v in _KINDS.items()) + " END"
_OBJECT_COLUMNS = f"""
    name sysname = o.name
    object_id int = o.object_id
    principal_id int = NULL
    schema_id int = s.schema_id
    parent_object_id int = 0
    type char(2) = o.type
    type_desc nvarchar(60) = {_KIND}
    create_date datetime = o.created
    modify_date datetime = o.modified
    is_ms_shipped bit = false
    is_published bit = false
    is_schema_published bit = false
"""
_DISTRIBUTION = "json_extract_string(details, '$.distribution')"
_DISTRIBUTIONS = {"HASH": 2, "REPLICATE": 3, "ROUND_ROBIN": 4}
_DISTRIBUTION_ID = (
    f"CASE {_DISTRIBUTION} "
    + " ".join(f"WHEN '{k}' THEN {v}" for k, v in _DISTRIBUTIONS.items())
    + " END"
)


@dataclass(frozen=True)
class SystemView:
    """A catalog view: DuckDB's FROM clause, and lines of `name type = expression`."""

    source: str
    columns: str

    def query(self) -> BoundQuery:
        """The view as a query of columns c1, c2, ..."""
        columns, items = [], []
        for line in self.columns.strip().splitlines():
            head, _, expression = line.strip().partition(" = ")
            name, _, declaration = head.partition(" ")
            kind = parse_declaration(declaration)
            columns.append((name, kind))
            items.append(f"CAST({expression} AS {kind.duckdb}) AS c{len(columns)}")
        return BoundQuery(f"SELECT {', '.join(items)} FROM {self.source}", tuple(columns))


def _objects(condition: str, more: str = "") -> SystemView:
    return SystemView(f"{_OBJECTS} WHERE {condition}", _OBJECT_COLUMNS + more)


_VIEWS = {
    "sys.schemas": SystemView(
        _SCHEMAS,
        "name sysname = s.schema_name\nschema_id int = s.schema_id\nprincipal_id int = 1",
    ),
    "sys.objects": _objects("true"),
    "sys.all_objects": _objects("true"),
    "sys.tables": _objects("o.type = 'U '", "    is_external bit = false\n"),
    "sys.views": _objects("o.type = 'V '", "    with_check_option bit = false\n"),
    "sys.procedures": _objects("o.type = 'P '"),
    "sys.columns": SystemView(
        _COLUMNS,
        f"""
        object_id int = c.object_id
        name sysname = c.name
        column_id int = c.ordinal
        system_type_id tinyint = type_id
        user_type_id int = user_id
        max_length smallint = {_LENGTH}
        precision tinyint = {_PRECISION}
        scale tinyint = {_SCALE}
        collation_name sysname = CASE WHEN {_TEXT} THEN 'SQL_Latin1_General_CP1_CI_AS' END
        is_nullable bit = c.nullable
        is_ansi_padded bit = true
        is_rowguidcol bit = false
        is_identity bit = {_IDENTITY}
        is_computed bit = false
        is_masked bit = false
        default_object_id int = CASE WHEN c.default_text = '' THEN 0 ELSE c.object_id END
        """,
    ),
    "sys.types": SystemView(
        _TYPES,
        """
        name sysname = type_name
        system_type_id tinyint = type_id
        user_type_id int = user_id
        schema_id int = 4
        max_length smallint = type_length
        precision tinyint = type_precision
        scale tinyint = type_scale
        collation_name sysname = NULL
        is_nullable bit = type_name <> 'sysname'
        is_user_defined bit = false
        is_table_type bit = false
        """,
    ),
    "sys.sql_modules": SystemView(
        f"{_OBJECTS} WHERE o.type <> 'U '",
        """
        object_id int = o.object_id
        definition nvarchar(max) = CASE o.type WHEN 'V ' THEN 'CREATE VIEW ' || o.schema_name || '.' || o.name || ' AS ' || o.definition ELSE o.definition END
        uses_ansi_nulls bit = true
        uses_quoted_identifier bit = true
        is_schema_bound bit = false
        """,
    ),
    "sys.indexes": SystemView(
        f"{_OBJECTS} WHERE o.type = 'U '",
        """
        object_id int = o.object_id
        name sysname = CASE json_extract_string(details, '$.index') WHEN 'HEAP' THEN NULL ELSE 'ClusteredIndex_' || o.object_id END
        index_id int = CASE json_extract_string(details, '$.index') WHEN 'HEAP' THEN 0 ELSE 1 END
        type tinyint = CASE json_extract_string(details, '$.index') WHEN 'HEAP' THEN 0 WHEN 'CLUSTERED INDEX' THEN 1 ELSE 5 END
        type_desc nvarchar(60) = CASE json_extract_string(details, '$.index') WHEN 'HEAP' THEN 'HEAP' WHEN 'CLUSTERED INDEX' THEN 'CLUSTERED' ELSE 'CLUSTERED COLUMNSTORE' END
        is_unique bit = false
        is_primary_key bit = false
        is_unique_constraint bit = false
        """,
    ),
    "sys.identity_columns": SystemView(
        f"{_COLUMNS} WHERE {_IDENTITY}",
        """
        object_id int = c.object_id
        name sysname = c.name
        column_id int = c.ordinal
        is_identity bit = true
        """,
    ),
    "sys.default_constraints": SystemView(
        f"{_COLUMNS} JOIN {_SCHEMAS} USING (schema_name) WHERE c.default_text <> ''",
        """
        name sysname = coalesce(json_extract_string(details, '$.default_names."' || lower(c.name) || '"'), 'DF__' || c.object_name || '__' || c.name)
        object_id int = c.object_id
        schema_id int = s.schema_id
        parent_object_id int = c.object_id
        parent_column_id int = c.ordinal
        type char(2) = 'D '
        definition nvarchar(max) = '(' || c.default_text || ')'
        """,
    ),
    "sys.databases": SystemView(
        "(SELECT 1)",
        """
        name sysname = 'pool'
        database_id int = 5
        create_date datetime = TIMESTAMP '2020-01-01'
        compatibility_level tinyint = 150
        collation_name sysname = 'SQL_Latin1_General_CP1_CI_AS'
        state tinyint = 0
        state_desc nvarchar(60) = 'ONLINE'
        is_read_only bit = false
        """,
    ),
    "sys.database_principals": SystemView(
        "(VALUES ('dbo', 1, 'S', 'SQL_USER'), ('public', 0, 'R', 'DATABASE_ROLE')) AS v (n, i, t, d)",
        """
        name sysname = n
        principal_id int = i
        type char(1) = t
        type_desc nvarchar(60) = d
        default_schema_name sysname = 'dbo'
        """,
    ),
    "sys.pdw_table_distribution_properties": SystemView(
        f"{_OBJECTS} WHERE o.type = 'U '",
        f"""
        object_id int = o.object_id
        distribution_policy tinyint = {_DISTRIBUTION_ID}
        distribution_policy_desc nvarchar(60) = {_DISTRIBUTION}
        """,
    ),
    "information_schema.tables": SystemView(
        "bikecast.objects AS o WHERE o.type IN ('U ', 'V ')",
        """
        TABLE_CATALOG nvarchar(128) = 'pool'
        TABLE_SCHEMA sysname = o.schema_name
        TABLE_NAME sysname = o.name
        TABLE_TYPE varchar(10) = CASE o.type WHEN 'U ' THEN 'BASE TABLE' ELSE 'VIEW' END
        """,
    ),
    "information_schema.columns": SystemView(
        f"{_COLUMNS}",
        f"""
        TABLE_CATALOG nvarchar(128) = 'pool'
        TABLE_SCHEMA nvarchar(128) = c.schema_name
        TABLE_NAME sysname = c.object_name
        COLUMN_NAME sysname = c.name
        ORDINAL_POSITION int = c.ordinal
        COLUMN_DEFAULT nvarchar(4000) = CASE c.default_text WHEN '' THEN NULL ELSE '(' || c.default_text || ')' END
        IS_NULLABLE varchar(3) = CASE WHEN c.nullable THEN 'YES' ELSE 'NO' END
        DATA_TYPE nvarchar(128) = base
        CHARACTER_MAXIMUM_LENGTH int = CASE WHEN {_TEXT} OR base IN ('binary', 'varbinary') THEN first END
        CHARACTER_OCTET_LENGTH int = CASE WHEN {_TEXT} OR base IN ('binary', 'varbinary') THEN {_LENGTH} END
        NUMERIC_PRECISION tinyint = CASE WHEN {_EXACT} OR base IN ('real', 'float') THEN {_PRECISION} END
        NUMERIC_PRECISION_RADIX smallint = CASE WHEN {_EXACT} THEN 10 WHEN base IN ('real', 'float') THEN 2 END
        NUMERIC_SCALE int = CASE WHEN {_EXACT} THEN {_SCALE} END
        DATETIME_PRECISION smallint = CASE WHEN {_SCALED} THEN first WHEN base = 'datetime' THEN 3 WHEN base IN ('date', 'smalldatetime') THEN 0 END
        CHARACTER_SET_NAME sysname = CASE WHEN base IN ('nchar', 'nvarchar') THEN 'UNICODE' WHEN {_TEXT} THEN 'iso_1' END
        COLLATION_NAME sysname = CASE WHEN {_TEXT} THEN 'SQL_Latin1_General_CP1_CI_AS' END
        """,
    ),
    "information_schema.views": SystemView(
        "bikecast.objects AS o WHERE o.type = 'V '",
        """
        TABLE_CATALOG nvarchar(128) = 'pool'
        TABLE_SCHEMA nvarchar(128) = o.schema_name
        TABLE_NAME sysname = o.name
        VIEW_DEFINITION nvarchar(4000) = o.definition
        CHECK_OPTION varchar(7) = 'NONE'
        IS_UPDATABLE varchar(2) = 'NO'
        """,
    ),
    "information_schema.schemata": SystemView(
        _SCHEMAS,
        """
        CATALOG_NAME nvarchar(128) = 'pool'
        SCHEMA_NAME nvarchar(128) = s.schema_name
        SCHEMA_OWNER nvarchar(128) = 'dbo'
        """,
    ),
    "information_schema.routines": SystemView(
        "bikecast.objects AS o WHERE o.type IN ('P ', 'FN')",
        """
        SPECIFIC_CATALOG nvarchar(128) = 'pool'
        SPECIFIC_SCHEMA nvarchar(128) = o.schema_name
        SPECIFIC_NAME nvarchar(128) = o.name
        ROUTINE_CATALOG nvarchar(128) = 'pool'
        ROUTINE_SCHEMA nvarchar(128) = o.schema_name
        ROUTINE_NAME nvarchar(128) = o.name
        ROUTINE_TYPE nvarchar(20) = CASE o.type WHEN 'P ' THEN 'PROCEDURE' ELSE 'FUNCTION' END
        ROUTINE_DEFINITION nvarchar(4000) = o.definition
        CREATED datetime = o.created
        LAST_ALTERED datetime = o.modified
        """,
    ),
}
SCHEMAS = frozenset({"sys", "information_schema"})


def system_view(schema: str, name: str) -> BoundQuery | None:
    """The catalog view of that name as a query, or None."""
    found = _VIEWS.get(f"{schema.lower()}.{name.lower()}")
    return found.query() if found else None


def type_id(name: str) -> int | None:
    """user_type_id of a type, as TYPE_ID returns it."""
    if name.lower() == "sysname":
        return 256
    return next((row[1] for row in _TYPE_ROWS if row[0] == name.lower()), None)


def type_name(number: int) -> str | None:
    """The name of a user_type_id, as TYPE_NAME returns it."""
    if number == 256:
        return "sysname"
    return next((row[0] for row in _TYPE_ROWS if row[1] == number), None)


