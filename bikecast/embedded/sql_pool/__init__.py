"""The embedded dedicated SQL pool: Synapse's T-SQL compiled to DuckDB, PREDICT on ONNX Runtime.

Layers, each of which uses only those before it:
`errors`, `types`        SQL Server's error numbers and types
`dialect`, `reserved`, `statements`, `parser`, `ddl`   text to statements (with sqlglot trees)
`profile`                what a dedicated pool refuses, by name
`catalog`, `scope`       objects, columns, names in scope
`conversion`, `functions`, `aggregates`, `expressions`   typed expressions to DuckDB SQL
`predict`, `predict_source`, `sources`   FROM items to DuckDB SQL
`grouping`, `ordering`, `queries`   queries to DuckDB SQL
`undeclared`, `execute`, `bulk`, `copy_into`   statements that read, write
`keys`, `definitions`, `alterations`, `renames`   statements that define
`date_order`, `frames`, `procedures`, `control`   batches: variables, procedures, transactions
`file_hold`, `storage`, `session`   the DuckDB file, and a connection to it

A construct that no layer knows is an error, so nothing passes that was not built on purpose.
"""
