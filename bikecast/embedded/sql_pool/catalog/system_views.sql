-- The catalog views that tools query, over the pool's own catalog.
-- Every view starts at a line "-- view NAME"; each of its columns is a line "expression AS name,"
-- with T-SQL's type in the comment behind it. The relations before the first view are shared, and
-- so are the columns that sys.objects and its kin begin with.
-- Source: https://learn.microsoft.com/sql/relational-databases/system-catalog-views

-- columns of sys.objects
    name AS name, -- sysname
    object_id AS object_id, -- int
    NULL AS principal_id, -- int
    schema_id AS schema_id, -- int
    parent AS parent_object_id, -- int
    type AS type, -- char(2)
    CASE type WHEN 'U ' THEN 'USER_TABLE' WHEN 'V ' THEN 'VIEW' WHEN 'P ' THEN 'SQL_STORED_PROCEDURE' WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' THEN 'UNIQUE_CONSTRAINT' ELSE 'SQL_SCALAR_FUNCTION' END AS type_desc, -- nvarchar(60)
    created AS create_date, -- datetime
    modified AS modify_date, -- datetime
    false AS is_ms_shipped, -- bit

-- relations
types AS (
    SELECT *, CASE type_name WHEN 'sysname' THEN 256 ELSE type_id END AS user_id
    FROM (VALUES
        ('uniqueidentifier', 36, 16, 0, 0), ('date', 40, 3, 10, 0), ('time', 41, 5, 16, 7),
        ('datetime2', 42, 8, 27, 7), ('datetimeoffset', 43, 10, 34, 7), ('tinyint', 48, 1, 3, 0),
        ('smallint', 52, 2, 5, 0), ('int', 56, 4, 10, 0), ('smalldatetime', 58, 4, 16, 0),
        ('real', 59, 4, 24, 0), ('money', 60, 8, 19, 4), ('datetime', 61, 8, 23, 3),
        ('float', 62, 8, 53, 0), ('bit', 104, 1, 1, 0), ('decimal', 106, 17, 38, 38),
        ('numeric', 108, 17, 38, 38), ('smallmoney', 122, 4, 10, 4), ('bigint', 127, 8, 19, 0),
        ('varbinary', 165, 8000, 0, 0), ('varchar', 167, 8000, 0, 0), ('binary', 173, 8000, 0, 0),
        ('char', 175, 8000, 0, 0), ('nvarchar', 231, 8000, 0, 0), ('sysname', 231, 256, 0, 0),
        ('nchar', 239, 8000, 0, 0)
    ) AS v (type_name, type_id, type_length, type_precision, type_scale)
), schemas AS (
    SELECT schema_name, CASE schema_name WHEN 'dbo' THEN 1 ELSE 16384 + oid END AS schema_id
    FROM duckdb_schemas()
    WHERE database_name = current_database() AND NOT internal AND schema_name <> 'bikecast'
    UNION ALL SELECT 'sys', 4 UNION ALL SELECT 'INFORMATION_SCHEMA', 3
), objects AS (
    SELECT o.*, s.schema_id, 0 AS parent,
        json_extract_string(details, '$.index') AS index_kind,
        json_extract_string(details, '$.distribution') AS distribution,
        coalesce(nullif(json_extract_string(details, '$.definition'), ''),
            'CREATE VIEW ' || o.schema_name || '.' || o.name || ' AS ' || definition) AS view_text
    FROM bikecast.objects AS o JOIN schemas AS s USING (schema_name)
), declared AS (
    SELECT c.*, o.type AS object_type, o.schema_name, o.schema_id, o.name AS object_name, details,
        regexp_extract(c.type, '^[a-z0-9]+') AS base,
        CASE regexp_extract(c.type, '\((\w+)', 1) WHEN '' THEN NULL WHEN 'max' THEN -1
            ELSE CAST(regexp_extract(c.type, '\((\w+)', 1) AS INTEGER) END AS size,
        TRY_CAST(regexp_extract(c.type, ',(\d+)', 1) AS INTEGER) AS second
    FROM bikecast.columns AS c JOIN objects AS o USING (object_id)
), columns AS (
    SELECT *,
        base IN ('varchar', 'nvarchar', 'char', 'nchar') AS is_text,
        base IN ('datetime2', 'time', 'datetimeoffset') AS is_scaled,
        base IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'money', 'smallmoney') AS exact,
        base IN ('real', 'float') AS approximate,
        CASE
            WHEN default_text = '' THEN NULL
            WHEN regexp_full_match(default_text, '[-+]?[0-9.]+(e[-+]?[0-9]+)?', 'i')
                THEN '((' || default_text || '))'
            ELSE '(' || default_text || ')'
        END AS default_definition,
        CASE
            WHEN size = -1 THEN -1
            WHEN base IN ('nvarchar', 'nchar') THEN 2 * size
            WHEN base IN ('varchar', 'char', 'varbinary', 'binary') THEN size
            WHEN base = 'decimal'
                THEN CASE WHEN size < 10 THEN 5 WHEN size < 20 THEN 9 WHEN size < 29 THEN 13 ELSE 17 END
            WHEN base = 'datetime2' THEN CASE WHEN size < 3 THEN 6 WHEN size < 5 THEN 7 ELSE 8 END
            WHEN base = 'datetimeoffset' THEN CASE WHEN size < 3 THEN 8 WHEN size < 5 THEN 9 ELSE 10 END
            WHEN base = 'time' THEN CASE WHEN size < 3 THEN 3 WHEN size < 5 THEN 4 ELSE 5 END
            ELSE type_length
        END AS bytes,
        CASE
            WHEN base = 'decimal' THEN size
            WHEN base = 'datetime2' THEN 19 + size + CAST(size > 0 AS INTEGER)
            WHEN base = 'datetimeoffset' THEN 26 + size + CAST(size > 0 AS INTEGER)
            WHEN base = 'time' THEN 8 + size + CAST(size > 0 AS INTEGER)
            WHEN base IN ('varchar', 'nvarchar', 'char', 'nchar', 'binary', 'varbinary') THEN 0
            ELSE type_precision
        END AS digits,
        CASE
            WHEN base = 'decimal' THEN second
            WHEN base IN ('datetime2', 'time', 'datetimeoffset') THEN size
            ELSE type_scale
        END AS decimals,
        coalesce(lower(json_extract_string(details, '$.identity')) = lower(name), false) AS counts
    FROM declared JOIN types ON type_name = base
), indexes AS (
    SELECT object_id, details, CASE index_kind WHEN 'HEAP' THEN 0 ELSE 1 END AS number,
        CASE index_kind WHEN 'HEAP' THEN NULL ELSE 'ClusteredIndex_' || object_id END AS label,
        CASE index_kind WHEN 'HEAP' THEN 'HEAP' WHEN 'CLUSTERED INDEX' THEN 'CLUSTERED'
            ELSE 'CLUSTERED COLUMNSTORE' END AS kind,
        '' AS columns_of
    FROM objects WHERE type = 'U '
    UNION ALL
    SELECT object_id, details, place + 1, name, 'NONCLUSTERED', lower(name)
    FROM (
        SELECT object_id, details, unnest(names) AS name, generate_subscripts(names, 1) AS place
        FROM (SELECT *, json_extract_string(details, '$.indexes[*]') AS names FROM objects)
    ) AS named
), keys AS (
    SELECT object_id AS table_id, schema_id, created, modified,
        1001024 + object_id * 1100 + CAST(json_extract_string(item, '$.number') AS INTEGER) AS key_id,
        json_extract_string(item, '$.kind') AS kind,
        json_extract_string(item, '$.name') AS label,
        json_extract_string(item, '$.named') = 'true' AS named,
        json_extract_string(item, '$.columns[*]') AS names,
        1 + place + coalesce(json_array_length(details, '$.indexes'), 0) AS number
    FROM (
        SELECT *, unnest(items) AS item, generate_subscripts(items, 1) AS place
        FROM (SELECT *, json_extract(details, '$.keys[*]') AS items FROM objects WHERE type = 'U ')
    ) AS keyed
)

-- view sys.schemas
SELECT
    schema_name AS name, -- sysname
    schema_id AS schema_id, -- int
    1 AS principal_id, -- int
FROM schemas

-- view sys.objects
SELECT
    -- columns of sys.objects
    false AS is_published, -- bit
    false AS is_schema_published, -- bit
FROM (
    SELECT name, object_id, schema_id, parent, type, created, modified FROM objects
    UNION ALL SELECT label, key_id, schema_id, table_id, kind, created, modified FROM keys
) AS all_objects

-- view sys.tables
SELECT
    -- columns of sys.objects
    false AS is_external, -- bit
    0 AS temporal_type, -- tinyint
    false AS is_memory_optimized, -- bit
    false AS is_filetable, -- bit
    false AS is_node, -- bit
    false AS is_edge, -- bit
FROM objects WHERE type = 'U '

-- view sys.views
SELECT
    -- columns of sys.objects
    false AS with_check_option, -- bit
FROM objects WHERE type = 'V '

-- view sys.procedures
SELECT
    -- columns of sys.objects
FROM objects WHERE type = 'P '

-- view sys.columns
SELECT
    object_id AS object_id, -- int
    name AS name, -- sysname
    ordinal AS column_id, -- int
    type_id AS system_type_id, -- tinyint
    user_id AS user_type_id, -- int
    bytes AS max_length, -- smallint
    digits AS precision, -- tinyint
    decimals AS scale, -- tinyint
    CASE WHEN is_text THEN 'SQL_Latin1_General_CP1_CI_AS' END AS collation_name, -- sysname
    nullable AS is_nullable, -- bit
    true AS is_ansi_padded, -- bit
    false AS is_rowguidcol, -- bit
    counts AS is_identity, -- bit
    false AS is_computed, -- bit
    false AS is_masked, -- bit
    CASE default_text WHEN '' THEN 0 ELSE 1000000 + object_id * 1100 + ordinal END AS default_object_id, -- int
FROM columns

-- view sys.types
SELECT
    type_name AS name, -- sysname
    type_id AS system_type_id, -- tinyint
    user_id AS user_type_id, -- int
    4 AS schema_id, -- int
    NULL AS principal_id, -- int
    type_length AS max_length, -- smallint
    type_precision AS precision, -- tinyint
    type_scale AS scale, -- tinyint
    NULL AS collation_name, -- sysname
    type_name <> 'sysname' AS is_nullable, -- bit
    false AS is_user_defined, -- bit
    false AS is_assembly_type, -- bit
    false AS is_table_type, -- bit
FROM types

-- view sys.sql_modules
SELECT
    object_id AS object_id, -- int
    CASE type WHEN 'V ' THEN view_text ELSE definition END AS definition, -- nvarchar(max)
    true AS uses_ansi_nulls, -- bit
    true AS uses_quoted_identifier, -- bit
    false AS is_schema_bound, -- bit
FROM objects WHERE type <> 'U '

-- view sys.indexes
SELECT
    object_id AS object_id, -- int
    label AS name, -- sysname
    number AS index_id, -- int
    CASE kind WHEN 'HEAP' THEN 0 WHEN 'CLUSTERED' THEN 1 WHEN 'NONCLUSTERED' THEN 2 ELSE 5 END AS type, -- tinyint
    kind AS type_desc, -- nvarchar(60)
    is_key AS is_unique, -- bit
    1 AS data_space_id, -- int
    is_primary AS is_primary_key, -- bit
    is_key AND NOT is_primary AS is_unique_constraint, -- bit
    false AS is_disabled, -- bit
FROM (
    SELECT object_id, label, number, kind, false AS is_key, false AS is_primary FROM indexes
    UNION ALL
    SELECT table_id, label, number, 'NONCLUSTERED', true, kind = 'PK' FROM keys
) AS all_indexes

-- view sys.index_columns
SELECT
    object_id AS object_id, -- int
    number AS index_id, -- int
    place AS index_column_id, -- int
    ordinal AS column_id, -- int
    CASE WHEN included THEN 0 ELSE place END AS key_ordinal, -- tinyint
    0 AS partition_ordinal, -- tinyint
    descends AS is_descending_key, -- bit
    included AS is_included_column, -- bit
FROM (
    SELECT i.object_id, i.number, c.ordinal, false AS included, i.place,
        coalesce(list_contains(i.descending, i.name), false) AS descends
    FROM (
        SELECT *, unnest(names) AS name, generate_subscripts(names, 1) AS place
        FROM (
            SELECT object_id, number,
                CAST(json_extract(details, '$.index_columns') AS MAP(VARCHAR, VARCHAR[]))[columns_of] AS names,
                CAST(json_extract(details, '$.descending') AS MAP(VARCHAR, VARCHAR[]))[columns_of] AS descending
            FROM indexes WHERE kind IN ('CLUSTERED', 'NONCLUSTERED')
            UNION ALL SELECT table_id, number, names, [] FROM keys
        ) AS listed
    ) AS i JOIN columns AS c ON c.object_id = i.object_id AND lower(c.name) = lower(i.name)
    UNION ALL
    SELECT c.object_id, i.number, c.ordinal, true, c.ordinal, false
    FROM columns AS c JOIN indexes AS i ON i.object_id = c.object_id AND i.kind = 'CLUSTERED COLUMNSTORE'
) AS all_columns

-- view sys.key_constraints
SELECT
    -- columns of sys.objects
    false AS is_published, -- bit
    false AS is_schema_published, -- bit
    number AS unique_index_id, -- int
    NOT named AS is_system_named, -- bit
FROM (
    SELECT label AS name, key_id AS object_id, table_id AS parent, kind AS type, *
    FROM keys
) AS named_keys

-- view sys.foreign_keys
SELECT
    NULL AS name, -- sysname
    0 AS object_id, -- int
    NULL AS principal_id, -- int
    0 AS schema_id, -- int
    0 AS parent_object_id, -- int
    'F ' AS type, -- char(2)
    'FOREIGN_KEY_CONSTRAINT' AS type_desc, -- nvarchar(60)
    0 AS referenced_object_id, -- int
    0 AS key_index_id, -- int
    false AS is_disabled, -- bit
    false AS is_not_for_replication, -- bit
    false AS is_not_trusted, -- bit
    0 AS delete_referential_action, -- tinyint
    'NO_ACTION' AS delete_referential_action_desc, -- nvarchar(60)
    0 AS update_referential_action, -- tinyint
    'NO_ACTION' AS update_referential_action_desc, -- nvarchar(60)
    false AS is_system_named, -- bit
FROM objects WHERE false

-- view sys.stats
SELECT
    object_id AS object_id, -- int
    json_extract_string(item, '$') AS name, -- sysname
    row_number() OVER (PARTITION BY object_id) AS stats_id, -- int
    false AS auto_created, -- bit
    true AS user_created, -- bit
FROM (SELECT object_id, unnest(json_extract(details, '$.statistics[*]')) AS item FROM objects WHERE type = 'U ') AS i

-- view sys.identity_columns
SELECT
    object_id AS object_id, -- int
    name AS name, -- sysname
    ordinal AS column_id, -- int
    true AS is_identity, -- bit
    CAST(coalesce(json_extract_string(details, '$.identity_steps[0]'), '1') AS BIGINT) AS seed_value, -- bigint
    CAST(coalesce(json_extract_string(details, '$.identity_steps[1]'), '1') AS BIGINT) AS increment_value, -- bigint
FROM columns WHERE counts

-- view sys.parameters
SELECT
    object_id AS object_id, -- int
    json_extract_string(item, '$.name') AS name, -- sysname
    row_number() OVER (PARTITION BY object_id) AS parameter_id, -- int
    type_id AS system_type_id, -- tinyint
    user_id AS user_type_id, -- int
    json_extract_string(item, '$.output') = 'true' AS is_output, -- bit
    false AS has_default_value, -- bit
FROM (SELECT object_id, unnest(json_extract(details, '$.parameters[*]')) AS item FROM objects WHERE type = 'P ') AS p
JOIN types ON type_name = json_extract_string(item, '$.type')

-- view sys.default_constraints
SELECT
    coalesce(json_extract_string(details, '$.default_names."' || lower(name) || '"'), 'DF__' || object_name || '__' || name) AS name, -- sysname
    1000000 + object_id * 1100 + ordinal AS object_id, -- int
    schema_id AS schema_id, -- int
    object_id AS parent_object_id, -- int
    ordinal AS parent_column_id, -- int
    'D ' AS type, -- char(2)
    'DEFAULT_CONSTRAINT' AS type_desc, -- nvarchar(60)
    default_definition AS definition, -- nvarchar(max)
FROM columns WHERE default_text <> ''

-- view sys.databases
SELECT
    'pool' AS name, -- sysname
    5 AS database_id, -- int
    TIMESTAMP '2020-01-01' AS create_date, -- datetime
    150 AS compatibility_level, -- tinyint
    'SQL_Latin1_General_CP1_CI_AS' AS collation_name, -- sysname
    0 AS state, -- tinyint
    'ONLINE' AS state_desc, -- nvarchar(60)
    false AS is_read_only, -- bit
FROM (SELECT 1)

-- view sys.database_principals
SELECT
    n AS name, -- sysname
    i AS principal_id, -- int
    t AS type, -- char(1)
    d AS type_desc, -- nvarchar(60)
    'dbo' AS default_schema_name, -- sysname
FROM (VALUES ('public', 0, 'R', 'DATABASE_ROLE'), ('dbo', 1, 'S', 'SQL_USER')) AS v (n, i, t, d)

-- view sys.pdw_table_distribution_properties
SELECT
    object_id AS object_id, -- int
    CASE distribution WHEN 'HASH' THEN 2 WHEN 'REPLICATE' THEN 3 ELSE 4 END AS distribution_policy, -- tinyint
    distribution AS distribution_policy_desc, -- nvarchar(60)
FROM objects WHERE type = 'U '

-- view sys.pdw_column_distribution_properties
SELECT
    object_id AS object_id, -- int
    ordinal AS column_id, -- int
    coalesce(list_position(json_extract_string(details, '$.hash_columns[*]'), lower(name)), 0) AS distribution_ordinal, -- tinyint
FROM columns WHERE object_type = 'U '

-- view information_schema.tables
SELECT
    'pool' AS TABLE_CATALOG, -- nvarchar(128)
    schema_name AS TABLE_SCHEMA, -- nvarchar(128)
    name AS TABLE_NAME, -- sysname
    CASE type WHEN 'U ' THEN 'BASE TABLE' ELSE 'VIEW' END AS TABLE_TYPE, -- varchar(10)
FROM objects WHERE type IN ('U ', 'V ')

-- view information_schema.columns
SELECT
    'pool' AS TABLE_CATALOG, -- nvarchar(128)
    schema_name AS TABLE_SCHEMA, -- nvarchar(128)
    object_name AS TABLE_NAME, -- sysname
    name AS COLUMN_NAME, -- sysname
    ordinal AS ORDINAL_POSITION, -- int
    default_definition AS COLUMN_DEFAULT, -- nvarchar(4000)
    CASE WHEN nullable THEN 'YES' ELSE 'NO' END AS IS_NULLABLE, -- varchar(3)
    base AS DATA_TYPE, -- nvarchar(128)
    CASE WHEN is_text OR base IN ('binary', 'varbinary') THEN size END AS CHARACTER_MAXIMUM_LENGTH, -- int
    CASE WHEN is_text OR base IN ('binary', 'varbinary') THEN bytes END AS CHARACTER_OCTET_LENGTH, -- int
    CASE WHEN exact OR approximate THEN digits END AS NUMERIC_PRECISION, -- tinyint
    CASE WHEN exact THEN 10 WHEN approximate THEN 2 END AS NUMERIC_PRECISION_RADIX, -- smallint
    CASE WHEN exact THEN decimals END AS NUMERIC_SCALE, -- int
    CASE WHEN is_scaled THEN size WHEN base = 'datetime' THEN 3 WHEN base IN ('date', 'smalldatetime') THEN 0 END AS DATETIME_PRECISION, -- smallint
    CASE WHEN base IN ('nchar', 'nvarchar') THEN 'UNICODE' WHEN is_text THEN 'iso_1' END AS CHARACTER_SET_NAME, -- sysname
    CASE WHEN is_text THEN 'SQL_Latin1_General_CP1_CI_AS' END AS COLLATION_NAME, -- sysname
FROM columns

-- view information_schema.views
SELECT
    'pool' AS TABLE_CATALOG, -- nvarchar(128)
    schema_name AS TABLE_SCHEMA, -- nvarchar(128)
    name AS TABLE_NAME, -- sysname
    view_text AS VIEW_DEFINITION, -- nvarchar(4000)
    'NONE' AS CHECK_OPTION, -- varchar(7)
    'NO' AS IS_UPDATABLE, -- varchar(2)
FROM objects WHERE type = 'V '

-- view information_schema.schemata
SELECT
    'pool' AS CATALOG_NAME, -- nvarchar(128)
    schema_name AS SCHEMA_NAME, -- nvarchar(128)
    'dbo' AS SCHEMA_OWNER, -- nvarchar(128)
FROM schemas

-- view information_schema.routines
SELECT
    'pool' AS SPECIFIC_CATALOG, -- nvarchar(128)
    schema_name AS SPECIFIC_SCHEMA, -- nvarchar(128)
    name AS SPECIFIC_NAME, -- nvarchar(128)
    'pool' AS ROUTINE_CATALOG, -- nvarchar(128)
    schema_name AS ROUTINE_SCHEMA, -- nvarchar(128)
    name AS ROUTINE_NAME, -- nvarchar(128)
    CASE type WHEN 'P ' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS ROUTINE_TYPE, -- nvarchar(20)
    definition AS ROUTINE_DEFINITION, -- nvarchar(4000)
    created AS CREATED, -- datetime
    modified AS LAST_ALTERED, -- datetime
FROM objects WHERE type IN ('P ', 'FN')
