-- The catalog views that tools query, over the pool's own catalog.
-- A view starts at a line "-- view NAME"; behind it come its columns, each as NAME TYPE = expression
-- (without the expression where that is the name), with ; between them, and its FROM clause.
-- @NAME stands for the columns of an earlier view, @objects for those of sys.objects and its kin.
-- The relations before the first view are shared; $types are the rows of types.tsv. One node with one distribution stands for the
-- nodes and distributions of a pool.
-- Source: https://learn.microsoft.com/sql/relational-databases/system-catalog-views

types AS (
    SELECT *, CASE type_name WHEN 'sysname' THEN 256 ELSE type_id END AS user_id
    FROM (VALUES $types) AS v (type_name, type_id, type_length, type_precision, type_scale)
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
), partitions AS (
    SELECT o.object_id, number, estimated_size, o.object_id * 1000 + number AS partition_id
    FROM objects AS o JOIN indexes AS i ON i.object_id = o.object_id AND i.number < 2
    JOIN duckdb_tables() AS t ON t.schema_name = o.schema_name AND t.table_name = o.name
    WHERE database_name = current_database()
), usages AS (
    SELECT k.*, o.name AS table_name, o.schema_name, unnest(names) AS column_name,
        generate_subscripts(names, 1) AS place
    FROM keys AS k JOIN objects AS o ON o.object_id = table_id
), statistics AS (
    SELECT object_id, details, json_extract_string(item, '$') AS name,
        row_number() OVER (PARTITION BY object_id) AS number
    FROM (SELECT object_id, details, unnest(json_extract(details, '$.statistics[*]')) AS item
        FROM objects WHERE type = 'U ') AS listed
), arguments AS (
    SELECT object_id, schema_name, name AS object_name, json_extract_string(item, '$.name') AS name,
        json_extract_string(item, '$.output') = 'true' AS is_output, types.*,
        row_number() OVER (PARTITION BY object_id) AS number
    FROM (SELECT *, unnest(json_extract(details, '$.parameters[*]')) AS item FROM objects WHERE type IN ('P ', 'FN')) AS p
    JOIN types ON type_name = json_extract_string(item, '$.type')
)

-- view objects
name sysname; object_id int; principal_id int = NULL; schema_id int; parent_object_id int = parent;
type char(2);
type_desc nvarchar(60) = CASE type WHEN 'U ' THEN 'USER_TABLE' WHEN 'V ' THEN 'VIEW' WHEN 'P ' THEN 'SQL_STORED_PROCEDURE' WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' THEN 'UNIQUE_CONSTRAINT' ELSE 'SQL_SCALAR_FUNCTION' END;
create_date datetime = created; modify_date datetime = modified; is_ms_shipped bit = false

-- view sys.schemas
name sysname = schema_name; schema_id int; principal_id int = 1
FROM schemas

-- view sys.objects
@objects; is_published bit = false; is_schema_published bit = false
FROM (
    SELECT name, object_id, schema_id, parent, type, created, modified FROM objects
    UNION ALL SELECT label, key_id, schema_id, table_id, kind, created, modified FROM keys
) AS all_objects

-- view sys.tables
@objects; is_external bit = false; temporal_type tinyint = 0; is_memory_optimized bit = false;
is_filetable bit = false; is_node bit = false; is_edge bit = false
FROM objects WHERE type = 'U '

-- view sys.views
@objects; with_check_option bit = false
FROM objects WHERE type = 'V '

-- view sys.procedures
@objects
FROM objects WHERE type = 'P '

-- view sys.columns
object_id int; name sysname; column_id int = ordinal; system_type_id tinyint = type_id;
user_type_id int = user_id; max_length smallint = bytes; precision tinyint = digits;
scale tinyint = decimals;
collation_name sysname = CASE WHEN is_text THEN 'SQL_Latin1_General_CP1_CI_AS' END;
is_nullable bit = nullable; is_ansi_padded bit = true; is_rowguidcol bit = false;
is_identity bit = counts; is_computed bit = false; is_masked bit = false;
default_object_id int = CASE default_text WHEN '' THEN 0 ELSE 1000000 + object_id * 1100 + ordinal END
FROM columns

-- view sys.types
name sysname = type_name; system_type_id tinyint = type_id; user_type_id int = user_id;
schema_id int = 4; principal_id int = NULL; max_length smallint = type_length;
precision tinyint = type_precision; scale tinyint = type_scale; collation_name sysname = NULL;
is_nullable bit = type_name <> 'sysname'; is_user_defined bit = false; is_assembly_type bit = false;
is_table_type bit = false
FROM types

-- view sys.sql_modules
object_id int; definition nvarchar(max) = CASE type WHEN 'V ' THEN view_text ELSE definition END;
uses_ansi_nulls bit = true; uses_quoted_identifier bit = true; is_schema_bound bit = false
FROM objects WHERE type <> 'U '

-- view sys.indexes
object_id int; name sysname = label; index_id int = number;
type tinyint = CASE kind WHEN 'HEAP' THEN 0 WHEN 'CLUSTERED' THEN 1 WHEN 'NONCLUSTERED' THEN 2 ELSE 5 END;
type_desc nvarchar(60) = kind; is_unique bit = is_key; data_space_id int = 1;
is_primary_key bit = is_primary; is_unique_constraint bit = is_key AND NOT is_primary;
is_disabled bit = false; has_filter bit = false; filter_definition nvarchar(max) = NULL
FROM (
    SELECT object_id, label, number, kind, false AS is_key, false AS is_primary FROM indexes
    UNION ALL
    SELECT table_id, label, number, 'NONCLUSTERED', true, kind = 'PK' FROM keys
) AS all_indexes

-- view sys.index_columns
object_id int; index_id int = number; index_column_id int = place; column_id int = ordinal;
key_ordinal tinyint = CASE WHEN included THEN 0 ELSE place END; partition_ordinal tinyint = 0;
is_descending_key bit = descends; is_included_column bit = included
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
@objects; is_published bit = false; is_schema_published bit = false; unique_index_id int = number;
is_system_named bit = NOT named
FROM (
    SELECT label AS name, key_id AS object_id, table_id AS parent, kind AS type, *
    FROM keys
) AS named_keys

-- view sys.stats
object_id int; name sysname; stats_id int = number; auto_created bit = false;
user_created bit = true; no_recompute bit = false; has_filter bit = false
FROM statistics

-- view sys.stats_columns
object_id int = s.object_id; stats_id int = s.number; stats_column_id int = place;
column_id int = ordinal
FROM (
    SELECT *, unnest(names) AS column_name, generate_subscripts(names, 1) AS place
    FROM (SELECT *, CAST(json_extract(details, '$.statistics_columns') AS MAP(VARCHAR, VARCHAR[]))[lower(name)] AS names FROM statistics) AS l
) AS s JOIN columns AS c ON c.object_id = s.object_id AND lower(c.name) = lower(column_name)

-- view sys.identity_columns
object_id int; name sysname; column_id int = ordinal; is_identity bit = true;
seed_value bigint = CAST(coalesce(json_extract_string(details, '$.identity_steps[0]'), '1') AS BIGINT);
increment_value bigint = CAST(coalesce(json_extract_string(details, '$.identity_steps[1]'), '1') AS BIGINT)
FROM columns WHERE counts

-- view sys.parameters
object_id int; name sysname; parameter_id int = number; system_type_id tinyint = type_id;
user_type_id int = user_id; is_output bit; has_default_value bit = false
FROM arguments

-- view sys.default_constraints
name sysname = coalesce(json_extract_string(details, '$.default_names."' || lower(name) || '"'), 'DF__' || object_name || '__' || name);
object_id int = 1000000 + object_id * 1100 + ordinal; schema_id int;
parent_object_id int = object_id; parent_column_id int = ordinal; type char(2) = 'D ';
type_desc nvarchar(60) = 'DEFAULT_CONSTRAINT'; definition nvarchar(max) = default_definition
FROM columns WHERE default_text <> ''

-- view sys.databases
name sysname = 'pool'; database_id int = 5; create_date datetime = TIMESTAMP '2020-01-01';
compatibility_level tinyint = 150; collation_name sysname = 'SQL_Latin1_General_CP1_CI_AS';
state tinyint = 0; state_desc nvarchar(60) = 'ONLINE'; is_read_only bit = false
FROM (SELECT 1)

-- view sys.database_principals
name sysname = n; principal_id int = i; type char(1) = t; type_desc nvarchar(60) = d;
default_schema_name sysname = 'dbo'
FROM (VALUES
    ('public', 0, 'R', 'DATABASE_ROLE'), ('dbo', 1, 'S', 'SQL_USER'), ('db_owner', 16384, 'R', 'DATABASE_ROLE')
) AS v (n, i, t, d)

-- view sys.database_role_members
role_principal_id int = 16384; member_principal_id int = 1
FROM (SELECT 1)

-- view sys.database_permissions
class tinyint = 0; class_desc nvarchar(60) = 'DATABASE'; major_id int = 0; minor_id int = 0;
grantee_principal_id int = 1; grantor_principal_id int = 1; type char(4) = 'CO  ';
permission_name nvarchar(128) = 'CONNECT'; state char(1) = 'G'; state_desc nvarchar(60) = 'GRANT'
FROM (SELECT 1)

-- view sys.data_spaces
name sysname = 'PRIMARY'; data_space_id int = 1; type char(2) = 'FG';
type_desc nvarchar(60) = 'ROWS_FILEGROUP'; is_default bit = true; is_system bit = false
FROM (SELECT 1)

-- view sys.filegroups
@sys.data_spaces; filegroup_guid uniqueidentifier = NULL; log_filegroup_id int = NULL;
is_read_only bit = false
FROM (SELECT 1)

-- view sys.partitions
partition_id bigint; object_id int; index_id int = number; partition_number int = 1;
hobt_id bigint = partition_id; rows bigint = estimated_size; data_compression tinyint = 0;
data_compression_desc nvarchar(60) = 'NONE'
FROM partitions

-- view sys.pdw_nodes_partitions
@sys.partitions; pdw_node_id int = 1; distribution_id int = 1
FROM partitions

-- view sys.dm_pdw_nodes_db_partition_stats
partition_id bigint; object_id int; index_id int = number; partition_number int = 1;
in_row_data_page_count bigint = NULL; in_row_used_page_count bigint = NULL;
in_row_reserved_page_count bigint = NULL; used_page_count bigint = NULL;
reserved_page_count bigint = NULL; row_count bigint = estimated_size; pdw_node_id int = 1;
distribution_id int = 1
FROM partitions

-- view sys.pdw_nodes_tables
@objects; pdw_node_id int = 1; distribution_id int = 1
FROM (SELECT * REPLACE ('Table_' || object_id AS name) FROM objects WHERE type = 'U ') AS physical

-- view sys.pdw_nodes_columns
@sys.columns; pdw_node_id int = 1; distribution_id int = 1
FROM columns WHERE object_type = 'U '

-- view sys.pdw_nodes_indexes
object_id int; name sysname = label; index_id int = number; type_desc nvarchar(60) = kind;
pdw_node_id int = 1; distribution_id int = 1
FROM indexes

-- view sys.pdw_table_mappings
physical_name nvarchar(36) = 'Table_' || object_id; object_id int
FROM objects WHERE type = 'U '

-- view sys.pdw_permanent_table_mappings
@sys.pdw_table_mappings
FROM objects WHERE type = 'U '

-- view sys.pdw_index_mappings
object_id int; index_id nvarchar(32) = number;
physical_name nvarchar(36) = 'Index_' || object_id || '_' || number
FROM indexes

-- view sys.pdw_replicated_table_cache_state
object_id int; state nvarchar(40) = 'Ready'
FROM objects WHERE distribution = 'REPLICATE'

-- view sys.pdw_distributions
distribution_id int = 1; pdw_node_id int = 1; name nvarchar(32) = 'Distribution_1'; position int = 1
FROM (SELECT 1)

-- view sys.dm_pdw_nodes
pdw_node_id int = 1; type nvarchar(32) = 'COMPUTE'; name nvarchar(32) = 'bikecast';
address nvarchar(32) = '127.0.0.1'; is_passive bit = false; region nvarchar(32) = 'local'
FROM (SELECT 1)

-- view sys.pdw_nodes_pdw_physical_databases
database_id int = 5; physical_name sysname = 'pool'; pdw_node_id int = 1
FROM (SELECT 1)

-- view sys.sysobjects
name sysname; id int = object_id; xtype char(2) = type; uid smallint = schema_id;
parent_obj int = 0; crdate datetime = created; type char(2)
FROM objects

-- view sys.syscolumns
name sysname; id int = object_id; xtype tinyint = type_id; xusertype smallint = user_id;
length smallint = bytes; colid smallint = ordinal; prec smallint = digits; scale int = decimals;
isnullable int = CAST(nullable AS INTEGER)
FROM columns

-- view sys.systypes
name sysname = type_name; xtype tinyint = type_id; xusertype smallint = user_id;
length smallint = type_length; prec smallint = type_precision; scale tinyint = type_scale
FROM types

-- view sys.sysusers
name sysname = 'dbo'; uid smallint = 1; issqlrole int = false
FROM (SELECT 1)

-- view sys.sysdatabases
name sysname = 'pool'; dbid smallint = 5; cmptlevel tinyint = 150
FROM (SELECT 1)

-- view sys.pdw_table_distribution_properties
object_id int;
distribution_policy tinyint = CASE distribution WHEN 'HASH' THEN 2 WHEN 'REPLICATE' THEN 3 ELSE 4 END;
distribution_policy_desc nvarchar(60) = distribution
FROM objects WHERE type = 'U '

-- view sys.pdw_column_distribution_properties
object_id int; column_id int = ordinal;
distribution_ordinal tinyint = coalesce(list_position(json_extract_string(details, '$.hash_columns[*]'), lower(name)), 0)
FROM columns WHERE object_type = 'U '

-- view information_schema.tables
TABLE_CATALOG nvarchar(128) = 'pool'; TABLE_SCHEMA nvarchar(128) = schema_name;
TABLE_NAME sysname = name;
TABLE_TYPE varchar(10) = CASE type WHEN 'U ' THEN 'BASE TABLE' ELSE 'VIEW' END
FROM objects WHERE type IN ('U ', 'V ')

-- view information_schema.columns
TABLE_CATALOG nvarchar(128) = 'pool'; TABLE_SCHEMA nvarchar(128) = schema_name;
TABLE_NAME sysname = object_name; COLUMN_NAME sysname = name; ORDINAL_POSITION int = ordinal;
COLUMN_DEFAULT nvarchar(4000) = default_definition;
IS_NULLABLE varchar(3) = CASE WHEN nullable THEN 'YES' ELSE 'NO' END;
DATA_TYPE nvarchar(128) = base;
CHARACTER_MAXIMUM_LENGTH int = CASE WHEN is_text OR base IN ('binary', 'varbinary') THEN size END;
CHARACTER_OCTET_LENGTH int = CASE WHEN is_text OR base IN ('binary', 'varbinary') THEN bytes END;
NUMERIC_PRECISION tinyint = CASE WHEN exact OR approximate THEN digits END;
NUMERIC_PRECISION_RADIX smallint = CASE WHEN exact THEN 10 WHEN approximate THEN 2 END;
NUMERIC_SCALE int = CASE WHEN exact THEN decimals END;
DATETIME_PRECISION smallint = CASE WHEN is_scaled THEN size WHEN base = 'datetime' THEN 3 WHEN base IN ('date', 'smalldatetime') THEN 0 END;
CHARACTER_SET_NAME sysname = CASE WHEN base IN ('nchar', 'nvarchar') THEN 'UNICODE' WHEN is_text THEN 'iso_1' END;
COLLATION_NAME sysname = CASE WHEN is_text THEN 'SQL_Latin1_General_CP1_CI_AS' END
FROM columns

-- view information_schema.views
TABLE_CATALOG nvarchar(128) = 'pool'; TABLE_SCHEMA nvarchar(128) = schema_name;
TABLE_NAME sysname = name; VIEW_DEFINITION nvarchar(4000) = view_text;
CHECK_OPTION varchar(7) = 'NONE'; IS_UPDATABLE varchar(2) = 'NO'
FROM objects WHERE type = 'V '

-- view information_schema.schemata
CATALOG_NAME nvarchar(128) = 'pool'; SCHEMA_NAME nvarchar(128) = schema_name;
SCHEMA_OWNER nvarchar(128) = 'dbo'
FROM schemas

-- view information_schema.routines
SPECIFIC_CATALOG nvarchar(128) = 'pool'; SPECIFIC_SCHEMA nvarchar(128) = schema_name;
SPECIFIC_NAME nvarchar(128) = name; ROUTINE_CATALOG nvarchar(128) = 'pool';
ROUTINE_SCHEMA nvarchar(128) = schema_name; ROUTINE_NAME nvarchar(128) = name;
ROUTINE_TYPE nvarchar(20) = CASE type WHEN 'P ' THEN 'PROCEDURE' ELSE 'FUNCTION' END;
ROUTINE_DEFINITION nvarchar(4000) = definition; CREATED datetime = created;
LAST_ALTERED datetime = modified
FROM objects WHERE type IN ('P ', 'FN')

-- view information_schema.parameters
SPECIFIC_CATALOG nvarchar(128) = 'pool'; SPECIFIC_SCHEMA nvarchar(128) = schema_name;
SPECIFIC_NAME nvarchar(128) = object_name; ORDINAL_POSITION int = number;
PARAMETER_MODE nvarchar(10) = CASE WHEN is_output THEN 'INOUT' ELSE 'IN' END;
IS_RESULT nvarchar(10) = 'NO'; PARAMETER_NAME nvarchar(128) = name;
DATA_TYPE nvarchar(128) = type_name
FROM arguments

-- view information_schema.table_constraints
CONSTRAINT_CATALOG nvarchar(128) = 'pool'; CONSTRAINT_SCHEMA nvarchar(128) = o.schema_name;
CONSTRAINT_NAME sysname = label; TABLE_CATALOG nvarchar(128) = 'pool';
TABLE_SCHEMA nvarchar(128) = o.schema_name; TABLE_NAME sysname = o.name;
CONSTRAINT_TYPE varchar(11) = CASE kind WHEN 'PK' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END;
IS_DEFERRABLE varchar(2) = 'NO'; INITIALLY_DEFERRED varchar(2) = 'NO'
FROM keys AS k JOIN objects AS o ON o.object_id = table_id

-- view information_schema.key_column_usage
CONSTRAINT_CATALOG nvarchar(128) = 'pool'; CONSTRAINT_SCHEMA nvarchar(128) = schema_name;
CONSTRAINT_NAME nvarchar(128) = label; TABLE_CATALOG nvarchar(128) = 'pool';
TABLE_SCHEMA nvarchar(128) = schema_name; TABLE_NAME nvarchar(128) = table_name;
COLUMN_NAME nvarchar(128) = column_name; ORDINAL_POSITION int = place
FROM usages

-- view information_schema.constraint_column_usage
TABLE_CATALOG nvarchar(128) = 'pool'; TABLE_SCHEMA nvarchar(128) = schema_name;
TABLE_NAME nvarchar(128) = table_name; COLUMN_NAME nvarchar(128) = column_name;
CONSTRAINT_CATALOG nvarchar(128) = 'pool'; CONSTRAINT_SCHEMA nvarchar(128) = schema_name;
CONSTRAINT_NAME nvarchar(128) = label
FROM usages
