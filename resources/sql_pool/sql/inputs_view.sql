-- The rows to score, by the names of the model's inputs.
CREATE VIEW $inputs AS
SELECT
    $columns
FROM $scoring AS d;
GO
