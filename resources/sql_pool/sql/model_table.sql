-- Versions of the model, one of them live. A (max) column needs a HEAP.
IF OBJECT_ID($table_text, N'U') IS NULL
BEGIN
    CREATE TABLE $table
    (
        [version] int NOT NULL,
        [digest] char(64) NOT NULL,
        [job_id] varchar(200) NOT NULL,
        [model] varbinary(max) NOT NULL,
        [is_live] bit NOT NULL,
        [published_at] datetime2(6) NOT NULL,
        [actor] nvarchar(200) NOT NULL,
        [reason] nvarchar(400) NOT NULL
    )
    WITH (DISTRIBUTION = ROUND_ROBIN, HEAP);
END
