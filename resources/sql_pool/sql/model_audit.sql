SELECT [entry], [changed_at], [actor], [action], [from_version], [to_version],
    [candidate], [data_version], [code_version], [run_id], [reason]
FROM $table
ORDER BY [entry] DESC;
