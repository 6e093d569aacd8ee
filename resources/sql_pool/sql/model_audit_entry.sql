INSERT INTO $table ([entry], [changed_at], [actor], [action], [from_version], [to_version],
    [candidate], [data_version], [code_version], [run_id], [reason])
SELECT ISNULL(MAX([entry]), 0) + 1, SYSUTCDATETIME(), ?, ?, ?, ?, ?, ?, ?, ?, ?
FROM $table;
