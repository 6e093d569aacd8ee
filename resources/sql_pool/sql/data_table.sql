IF OBJECT_ID($table_text, N'U') IS NULL
BEGIN
    CREATE TABLE $table
    (
        $columns
    )
    WITH (DISTRIBUTION = ROUND_ROBIN, HEAP);
END
