"""Parquet files that an engine wrote become the content of a Delta table."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import BikecastError
from resources.lake.port import Lake

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


@dataclass(frozen=True)
class ParquetFile:
    """A file to commit: its path below the table, its size in bytes, its rows if known.

    `limits` has the least and the greatest value of columns, by name, as JSON has them.
    """

    path: str
    size: int
    rows: int | None = None
    limits: Mapping[str, tuple[object, object]] = field(default_factory=dict)

    @property
    def stats(self) -> str:
        """What the table's log says about the file."""
        if self.rows is None:
            return "{}"
        return json.dumps(
            {
                "numRecords": self.rows,
                "minValues": {name: low for name, (low, _) in self.limits.items()},
                "maxValues": {name: high for name, (_, high) in self.limits.items()},
            }
        )


@dataclass(frozen=True)
class Commit:
    """The current version of a Delta table, with the properties of its commit."""

    version: int
    properties: Mapping[str, str]


def latest_commit(lake: Lake, table_path: str) -> Commit | None:
    """The current commit of a Delta table, or None where there is no table."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    options = lake.table_options() or None
    try:
        table = DeltaTable(lake.url(table_path), storage_options=options)
    except TableNotFoundError:
        return None
    version = table.version()
    with lake.open(f"{table_path}/_delta_log/{version:020}.json") as file:
        actions = [json.loads(line) for line in file.read().splitlines() if line.strip()]
    info: dict[str, object] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    return Commit(version, {name: str(value) for name, value in info.items()})


def commit_files(
    lake: Lake,
    table_path: str,
    files: Sequence[ParquetFile],
    schema: pa.Schema,
    properties: Mapping[str, str],
) -> int:
    """Make Parquet files below `table_path` the whole content of the Delta table there.

    Returns the table's new version. No data is moved, and the table may be larger than this
    machine. A commit is one atomic file, so readers see the old content or the new one; the files
    are nothing until then. `properties` are stored with the commit.
    Raises BikecastError where the table cannot be written.
    """
    from deltalake import CommitProperties, DeltaTable
    from deltalake import Schema as DeltaSchema
    from deltalake.exceptions import DeltaError, TableNotFoundError
    from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

    url, options = lake.url(table_path), lake.table_options() or None
    commit = CommitProperties(custom_metadata=dict(properties))
    now = int(time.time() * 1000)
    added = [AddAction(file.path, file.size, {}, now, True, file.stats) for file in files]
    try:
        try:
            table = DeltaTable(url, storage_options=options)
        except TableNotFoundError:
            create_table_with_add_actions(
                url,
                DeltaSchema.from_arrow(schema),
                added,
                storage_options=options,
                commit_properties=commit,
            )
            return 0
        actions: list[AddAction | RemoveAction] = [*added]
        table.create_write_transaction(actions, "overwrite", schema, commit_properties=commit)
        table.update_incremental()
        return table.version()
    except (OSError, DeltaError) as error:
        raise BikecastError(
            f"cannot write the table {table_path}: {error}. The old version of it is unchanged"
        ) from error


def local_files(table: Path, folder: str, schema: pa.Schema) -> list[ParquetFile]:
    """The Parquet files of a local table's folder; raises BikecastError for another schema."""
    import pyarrow.parquet as pq

    files = []
    for path in sorted((table / folder).glob("*.parquet")):
        footer = pq.read_metadata(path)
        there = footer.schema.to_arrow_schema()
        if there.names != schema.names or not all(
            _alike(a, b) for a, b in zip(there.types, schema.types, strict=True)
        ):
            raise BikecastError(f"{path}: the columns are {there}, not {schema}")
        name = path.relative_to(table).as_posix()
        files.append(ParquetFile(name, path.stat().st_size, footer.num_rows, _limits(footer)))
    return files


def _limits(footer: pq.FileMetaData) -> dict[str, tuple[object, object]]:
    """The limits of whole numbers and dates, from a Parquet file's footer.

    Of texts and floats a footer may hold what is cut or rounded.
    """
    limits: dict[str, tuple[object, object]] = {}
    for index, name in enumerate(footer.schema.names):
        groups = [footer.row_group(number).column(index) for number in range(footer.num_row_groups)]
        stats = [group.statistics for group in groups]
        ends = [(s.min, s.max) for s in stats if s is not None and s.has_min_max]
        if not ends or len(ends) < len(groups):
            continue
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        if isinstance(low, datetime.date) and not isinstance(low, datetime.datetime):
            limits[name] = (low.isoformat(), high.isoformat())
        elif isinstance(low, int):
            limits[name] = (low, high)
    return limits


def _alike(actual: pa.DataType, expected: pa.DataType) -> bool:
    """Equal, but for the unit and the zone of moments, which engines write in their own way."""
    import pyarrow as pa

    return bool(
        actual == expected or (pa.types.is_timestamp(actual) and pa.types.is_timestamp(expected))
    )
