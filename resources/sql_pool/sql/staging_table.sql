IF OBJECT_ID($table_text, N'U') IS NOT NULL
BEGIN
    DROP TABLE $table;
END
GO
CREATE TABLE $table
(
    $columns
)
WITH (DISTRIBUTION = ROUND_ROBIN, HEAP);
GO
COPY INTO $table
FROM $url
WITH (FILE_TYPE = 'PARQUET'$credential);
