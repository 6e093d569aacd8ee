-- What the catalog procedures of drivers read. A name is a pattern of LIKE where @fUsePattern is 1.

-- procedure sp_tables
SELECT CAST(DB_NAME() AS nvarchar(128)) AS TABLE_QUALIFIER, s.name AS TABLE_OWNER,
    o.name AS TABLE_NAME, CASE o.type WHEN 'V' THEN 'VIEW' ELSE 'TABLE' END AS TABLE_TYPE,
    CAST(NULL AS varchar(254)) AS REMARKS
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type IN ('U', 'V')
    AND (@table_name IS NULL OR o.name = @table_name
        OR (@fUsePattern = 1 AND o.name LIKE @table_name))
    AND (@table_owner IS NULL OR s.name = @table_owner
        OR (@fUsePattern = 1 AND s.name LIKE @table_owner))
    AND (@table_qualifier IS NULL OR @table_qualifier IN ('%', DB_NAME()))
    AND (@table_type IS NULL OR @table_type = '%'
        OR CHARINDEX('''TABLE''', @table_type) > 0 AND o.type = 'U'
        OR CHARINDEX('''VIEW''', @table_type) > 0 AND o.type = 'V')
ORDER BY 4, 1, 2, 3

-- procedure sp_columns
SELECT s.name AS s, o.name AS o, c.name AS c, t.name AS t, CAST(c.max_length AS int) AS bytes,
    CAST(c.precision AS int) AS p, CAST(c.scale AS int) AS d, c.is_nullable AS n,
    c.column_id AS place, c.is_identity AS i, k.definition AS k
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
    JOIN sys.columns AS c ON c.object_id = o.object_id
    JOIN sys.types AS t ON t.user_type_id = c.user_type_id
    LEFT JOIN sys.default_constraints AS k ON k.parent_object_id = c.object_id
        AND k.parent_column_id = c.column_id
WHERE o.type IN ('U', 'V')
    AND (@table_name IS NULL OR o.name = @table_name
        OR (@fUsePattern = 1 AND o.name LIKE @table_name))
    AND (@table_owner IS NULL OR s.name = @table_owner
        OR (@fUsePattern = 1 AND s.name LIKE @table_owner))
    AND (@table_qualifier IS NULL OR @table_qualifier = DB_NAME())
    AND (@column_name IS NULL OR c.name = @column_name
        OR (@fUsePattern = 1 AND c.name LIKE @column_name))
ORDER BY 1, 2, 9

-- procedure sp_stored_procedures
SELECT CAST(DB_NAME() AS nvarchar(128)) AS PROCEDURE_QUALIFIER, s.name AS PROCEDURE_OWNER,
    o.name + ';1' AS PROCEDURE_NAME, -1 AS NUM_INPUT_PARAMS, -1 AS NUM_OUTPUT_PARAMS,
    -1 AS NUM_RESULT_SETS, CAST(NULL AS varchar(254)) AS REMARKS,
    CAST(2 AS smallint) AS PROCEDURE_TYPE
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type = 'P'
    AND (@sp_name IS NULL OR o.name = @sp_name OR (@fUsePattern = 1 AND o.name LIKE @sp_name))
    AND (@sp_owner IS NULL OR s.name = @sp_owner OR (@fUsePattern = 1 AND s.name LIKE @sp_owner))
    AND (@sp_qualifier IS NULL OR @sp_qualifier = DB_NAME())
ORDER BY 1, 2, 3
