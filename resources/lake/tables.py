"""Delta tables of the lake, read outside Spark: in blocks, by their limits, or as a sample.

Nothing here holds what grows with a table's rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.lake.table_files import open_local_table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

    from bikecast.core.spec import ModelSpec
    from resources.lake.port import Lake, LakeFile

#: How the address of a table on this machine begins.
_HERE = "file://"
#: What is looked at where a statistic of rows is good enough.
SAMPLE_ROWS = 100_000


def open_table(lake: Lake, path: str) -> ds.Dataset:
    """The latest version of the Delta table at a lake path; only its log is read here.

    Raises deltalake's TableNotFoundError where there is none, Damaged where its log is no log.
    """
    from deltalake import DeltaTable

    url, options = lake.url(path), lake.table_options() or None
    if url.startswith(_HERE):
        return open_local_table(Path(url.removeprefix(_HERE))).to_pyarrow_dataset()
    return DeltaTable(url, storage_options=options).to_pyarrow_dataset()


def open_table_if_any(lake: Lake, path: str) -> ds.Dataset | None:
    """The same, or None where there is no table yet."""
    from deltalake.exceptions import TableNotFoundError

    try:
        return open_table(lake, path)
    except TableNotFoundError:
        return None


def open_parquet(lake: Lake, file: LakeFile) -> ds.Dataset:
    """A Parquet file of the lake, of which only what is asked for is read.

    Raises OSError where it is gone.
    """
    import pyarrow.dataset as ds
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import PyFileSystem

    folder, _, name = file.path.rpartition("/")
    options, sizes = lake.table_options() or None, {name: file.size}
    files = PyFileSystem(DeltaStorageHandler(lake.url(folder), options, sizes))
    fragment = ds.ParquetFileFormat().make_fragment(name, files)
    return ds.FileSystemDataset([fragment], fragment.physical_schema, fragment.format, files)


def open_data_version(lake: Lake, path: str, data_version: str) -> ds.Dataset | None:
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
            dataset = table.to_pyarrow_dataset()
            dataset.count_rows()  # reads the footer of each file
        except (OSError, DeltaError):  # its files were removed by a vacuum
            return None
        return dataset
    return None


def open_version_before(lake: Lake, path: str) -> ds.Dataset | None:
    """The Delta table one version ago; None for a first version, and where that is gone."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    table = DeltaTable(lake.url(path), storage_options=lake.table_options() or None)
    if not table.version():
        return None
    try:
        table.load_as_version(table.version() - 1)
        dataset = table.to_pyarrow_dataset()
        dataset.count_rows()  # reads the footer of each file
    except (OSError, DeltaError):  # its files were removed by a vacuum
        return None
    return dataset


def blocks_of(dataset: ds.Dataset, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a table in blocks, in memory that does not grow with them."""
    from bikecast.core.row_sample import row_blocks

    return row_blocks(dataset, list(columns) if columns is not None else dataset.schema.names)


def reader_of(dataset: ds.Dataset, columns: Sequence[str]) -> pa.RecordBatchReader:
    """The same as a stream that DuckDB takes, once."""
    import pyarrow as pa

    schema = pa.schema([dataset.schema.field(name) for name in columns])
    batches = (batch for block in blocks_of(dataset, columns) for batch in block.to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)


def limits_of(dataset: ds.Dataset, column: str) -> tuple[Any, Any]:
    """The least and the greatest value of a column; None where there is none."""
    import pyarrow.compute as pc

    ends = [pc.min_max(block[column]).as_py() for block in blocks_of(dataset, [column])]
    lows = [each["min"] for each in ends if each["min"] is not None]
    highs = [each["max"] for each in ends if each["max"] is not None]
    return (min(lows), max(highs)) if lows else (None, None)


def sample_of(
    dataset: ds.Dataset, spec: ModelSpec, columns: Sequence[str], *, most: int = SAMPLE_ROWS
) -> pa.Table:
    """At most `most` rows, those with the least hashes of the spec's keys (without: of all).

    All rows, in the order of the files, where these are no more.
    """
    import pyarrow as pa

    from bikecast.core.row_sample import sample_rows

    names = list(columns)
    keys = [name for name in spec.key_names if name in dataset.schema.names]
    read = list(dict.fromkeys([*names, *keys]))
    schema = pa.schema([dataset.schema.field(name) for name in read])
    return sample_rows(blocks_of(dataset, read), schema, keys or read, most=most).select(names)


def write_parquet(
    lake: Lake, path: str, columns: Sequence[str], target: Path, *, spec: ModelSpec, most: int = 0
) -> None:
    """Write the latest version of the Delta table at a lake path to a Parquet file, in batches.

    With `most`, at most so many rows: those of `sample_of`.
    """
    import pyarrow.parquet as pq

    dataset = open_table(lake, path)
    if most and dataset.count_rows() > most:
        pq.write_table(sample_of(dataset, spec, columns, most=most), target)
        return
    reader = reader_of(dataset, columns)
    with pq.ParquetWriter(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def read_rows(lake: Lake, path: str, *, limit: int) -> list[dict[str, object]]:
    """The first rows of the Delta table at a lake path, as dicts."""
    rows: list[dict[str, object]] = open_table(lake, path).head(limit).to_pylist()
    return rows
