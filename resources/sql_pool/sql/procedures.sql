-- The predictions of the last run, one row a scored row.
IF OBJECT_ID($predictions_text, N'U') IS NULL
BEGIN
    CREATE TABLE $predictions
    (
        $prediction_columns
    )
    WITH (DISTRIBUTION = ROUND_ROBIN, HEAP);
END
GO
-- What was scored and may still be turned down; its rows take the place of the stored ones.
IF OBJECT_ID($staged_text, N'U') IS NOT NULL
BEGIN
    DROP TABLE $staged;
END
GO
CREATE TABLE $staged
(
    $prediction_columns
)
WITH (DISTRIBUTION = ROUND_ROBIN, HEAP);
GO
IF OBJECT_ID($inputs_text, N'V') IS NOT NULL
BEGIN
    DROP VIEW $inputs;
END
GO
$make_inputs-- A dedicated pool has no CREATE OR ALTER; ALTER replaces a procedure as a whole.
IF OBJECT_ID($predict_text, N'P') IS NULL
BEGIN
    EXEC (N'CREATE PROCEDURE $predict_inner AS BEGIN SELECT 1 AS [not_yet_defined]; END');
END
GO
ALTER PROCEDURE $predict
AS
BEGIN
    DECLARE @version int = (SELECT MAX([version]) FROM $models WHERE [is_live] = 1);
    IF @version IS NULL
    BEGIN
        THROW 51000, $no_model, 1;
    END
    DECLARE @model varbinary(max) = (SELECT [model] FROM $models WHERE [version] = @version);
    SELECT
        $scored_columns
    FROM PREDICT(MODEL = @model, DATA = $scoring AS d, RUNTIME = ONNX)
    WITH ($output real) AS p;
END
GO
IF OBJECT_ID($stage_text, N'P') IS NULL
BEGIN
    EXEC (N'CREATE PROCEDURE $stage_inner AS BEGIN SELECT 1 AS [not_yet_defined]; END');
END
GO
ALTER PROCEDURE $stage @run_id varchar(64)
AS
BEGIN
    DECLARE @version int = (SELECT MAX([version]) FROM $models WHERE [is_live] = 1);
    IF @version IS NULL
    BEGIN
        THROW 51000, $no_model, 1;
    END
    DECLARE @digest char(64) = (SELECT [digest] FROM $models WHERE [version] = @version);
    DECLARE @model varbinary(max) = (SELECT [model] FROM $models WHERE [version] = @version);
    DECLARE @trained_by int = (SELECT MAX([entry]) FROM $audit
        WHERE [to_version] = @version AND [candidate] = @version);
    DECLARE @data_version varchar(100) = (SELECT [data_version] FROM $audit
        WHERE [entry] = @trained_by);
    DECLARE @code_version varchar(100) = (SELECT [code_version] FROM $audit
        WHERE [entry] = @trained_by);
    DELETE FROM $staged;
    INSERT INTO $staged ($prediction_names)
    SELECT
        $scored_columns,
        @version,
        @digest,
        ISNULL(@data_version, 'unknown'),
        ISNULL(@code_version, 'unknown'),
        @run_id,
        SYSUTCDATETIME()
    FROM PREDICT(MODEL = @model, DATA = $scoring AS d, RUNTIME = ONNX)
    WITH ($output real) AS p;
END
GO
IF OBJECT_ID($save_text, N'P') IS NULL
BEGIN
    EXEC (N'CREATE PROCEDURE $save_inner AS BEGIN SELECT 1 AS [not_yet_defined]; END');
END
GO
-- Stores what the run has staged; where it has staged nothing, it scores now.
ALTER PROCEDURE $save @run_id varchar(64)
AS
BEGIN
    DECLARE @staged bigint = (SELECT COUNT_BIG(*) FROM $staged WHERE [run_id] = @run_id);
    IF @staged = 0
    BEGIN
        EXEC $stage @run_id = @run_id;
    END
    BEGIN TRANSACTION;
    DELETE FROM $predictions;
    INSERT INTO $predictions ($prediction_names)
    SELECT $prediction_names FROM $staged WHERE [run_id] = @run_id;
    COMMIT TRANSACTION;
    DELETE FROM $staged;
END
