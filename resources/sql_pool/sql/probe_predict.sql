DECLARE @version int = (SELECT MAX([version]) FROM $models WHERE [is_live] = 1);
DECLARE @model varbinary(max) = (SELECT [model] FROM $models WHERE [version] = @version);
SELECT TOP 1 p.$output
FROM PREDICT(MODEL = @model, DATA = $scoring AS d, RUNTIME = ONNX)
WITH ($output real) AS p;
