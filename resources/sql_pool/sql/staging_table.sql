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
WITH (
    FILE_TYPE = 'CSV',
    ENCODING = 'UTF8',
    FIRSTROW = 2,
    FIELDTERMINATOR = ',',
    FIELDQUOTE = '"',
    ROWTERMINATOR = '0x0A'$credential
);
