SELECT TOP 1 [version], [digest], [job_id], [published_at]
FROM $table
WHERE [is_live] = 1
ORDER BY [version] DESC;
