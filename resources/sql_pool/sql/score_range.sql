DECLARE @model varbinary(max) = ?;
INSERT INTO $table ($names)
SELECT
    $scored,
    ?,
    ?,
    ?,
    ?,
    ?,
    SYSUTCDATETIME()
FROM PREDICT(MODEL = @model, DATA = $rows AS d, RUNTIME = ONNX)
WITH ($output real) AS p
WHERE d.$key BETWEEN ? AND ?;
