"""A Delta table of a local lake as rows of a session, for engines with and without a reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import InvalidInput
from resources.spark.delta_table import current_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Table features whose files alone do not tell the rows.
_NOT_IN_FILES = frozenset({"deletionVectors", "columnMapping"})


def delta_rows(session: SparkSession, place: Path, shown: str, *, reads_delta: bool) -> DataFrame:
    """The rows of the current version of the table at `place`, called `shown` in errors.

    Where the engine has no Delta reader (`reads_delta`), it gets the table's files.
    Raises InvalidInput where there is no table, or only a Delta reader can tell its rows.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        table = DeltaTable(str(place))
    except TableNotFoundError as error:
        raise InvalidInput(f"there is no Delta table at {shown} in the lake") from error
    # Sail 0.7 finds no table in a folder whose name is percent-encoded in a URL.
    if reads_delta and str(place).isascii() and " " not in str(place):
        return session.read.format("delta").load(str(place))
    hidden = _NOT_IN_FILES & set(table.protocol().reader_features or ())
    if hidden or table.metadata().partition_columns:
        why = ", ".join(sorted(hidden)) or "partitions"
        raise InvalidInput(
            f"{shown} has {why}, which this engine cannot read from {place}; use a folder "
            "without blanks and accents, and not local[*]"
        )
    return session.read.parquet(*current_files(place))
