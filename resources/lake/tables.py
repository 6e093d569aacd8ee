"""Delta tables of the lake, read outside Spark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from resources.lake.port import Lake


def read_table(lake: Lake, path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The latest version of the Delta table at a lake path, as an Arrow table in memory."""
    return _dataset(lake, path).to_table(columns=list(columns) if columns else None)


def write_parquet(lake: Lake, path: str, columns: Sequence[str], target: Path) -> None:
    """Write the latest version of the Delta table at a lake path to a Parquet file, in batches."""
    import pyarrow.parquet as pq

    scanner = _dataset(lake, path).scanner(columns=list(columns))
    with pq.ParquetWriter(target, scanner.projected_schema) as writer:
        for batch in scanner.to_batches():
            writer.write_batch(batch)


def read_table_if_any(lake: Lake, path: str, columns: Sequence[str]) -> pa.Table | None:
    """The same, or None where there is no table yet."""
    from deltalake.exceptions import TableNotFoundError

    try:
        return read_table(lake, path, columns)
    except TableNotFoundError:
        return None


def read_data_version(
    lake: Lake, path: str, data_version: str, columns: Sequence[str]
) -> pa.Table | None:
    """The Delta table as it was with a data version; None where that is no longer there."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    options = lake.table_options() or None
    table = DeltaTable(lake.url(path), storage_options=options)
    for commit in table.history():
        # It is a value of the commit's metadata, or part of a Spark batch's outcome as JSON.
        if not any(data_version in str(value) for value in commit.values()):
            continue
        try:
            table.load_as_version(int(commit["version"]))
            return table.to_pyarrow_dataset().to_table(columns=list(columns))
        except (OSError, DeltaError):  # its files were removed by a vacuum
            return None
    return None


def read_rows(lake: Lake, path: str, *, limit: int) -> list[dict[str, object]]:
    """The first rows of the Delta table at a lake path, as dicts."""
    rows: list[dict[str, object]] = _dataset(lake, path).head(limit).to_pylist()
    return rows


def _dataset(lake: Lake, path: str):  # type: ignore[no-untyped-def]  # pyarrow.dataset.Dataset
    from deltalake import DeltaTable

    table = DeltaTable(lake.url(path), storage_options=lake.table_options() or None)
    return table.to_pyarrow_dataset()
