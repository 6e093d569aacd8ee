-- Who made which version live, when and why; a kept champion has a row too.
IF OBJECT_ID($table_text, N'U') IS NULL
BEGIN
    CREATE TABLE $table
    (
        [entry] int NOT NULL,
        [changed_at] datetime2(6) NOT NULL,
        [actor] nvarchar(200) NOT NULL,
        [action] varchar(20) NOT NULL,
        [from_version] int NULL,
        [to_version] int NOT NULL,
        [candidate] int NOT NULL,
        [data_version] varchar(100) NOT NULL,
        [code_version] varchar(100) NOT NULL,
        [run_id] varchar(64) NOT NULL,
        [reason] nvarchar(2000) NOT NULL
    )
    WITH (DISTRIBUTION = ROUND_ROBIN, HEAP);
END
