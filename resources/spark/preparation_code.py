"""The code that decides the content of a prepared table, beside its CSV and its spec."""

from bikecast.core.code_version import LIBRARY

#: On this machine and, by `batch.py`, in a Synapse pool. Of what else the engine's adapter imports,
#: a test says why it decides nothing.
PREPARATION_CODE = (
    "bikecast/core/file_kinds.py",
    "resources/lake/dialect.py",
    "resources/lake/parquet_folders.py",
    "bikecast/core/suspicious.py",
    "resources/spark/batch.py",
    "resources/spark/connect.py",
    "resources/spark/content.py",
    "resources/spark/delta_table.py",
    "resources/spark/sessions.py",
    "resources/spark/transform.py",
    "bikecast/core/sql_types.py",
    f"{LIBRARY}pysail",
    f"{LIBRARY}pyspark",
)
