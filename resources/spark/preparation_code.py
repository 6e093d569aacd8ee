"""The code that decides the content of a prepared table, beside its CSV and its spec."""

from bikecast.core.code_version import LIBRARY

PREPARATION_CODE = (
    "resources/lake/csv_problems.py",
    "resources/lake/findings.py",
    "resources/spark",
    "bikecast/core/sql_types.py",
    f"{LIBRARY}pysail",
    f"{LIBRARY}pyspark",
)
