"""Committing a training table as Delta: hashed, only when changed, one writer at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from filelock import FileLock, Timeout

from bikecast.core.errors import BikecastError
from bikecast.core.spec import ModelSpec
from bikecast.core.sql_types import arrow_schema

#: Key of a commit's metadata that holds the data version.
DATA_VERSION = "bikecast.dataVersion"
LOCK_SECONDS = 120.0


@dataclass(frozen=True)
class Commit:
    """The state of a table: its data version and Delta version; `changed` if we wrote it."""

    data_version: str
    delta_version: int
    changed: bool


def canonical(table: pa.Table, spec: ModelSpec) -> pa.Table:
    """The table with the spec's types and in one order: by keys, then by all other columns.

    Spark gives rows in any order; equal contents must give equal tables.
    """
    schema = arrow_schema(spec.training_columns)
    table = table.select(schema.names).cast(schema)
    first = [spec.time_key] if spec.time_key else []
    order = dict.fromkeys([*first, *spec.key_names, *schema.names])
    return table.sort_by([(name, "ascending") for name in order]).combine_chunks()


def data_version(table: pa.Table) -> str:
    """SHA-256 in hex of schema and content; depends on no Arrow buffer layout.

    Each column is hashed as its name and type, its null mask and its values (texts as lengths,
    then bytes).
    """
    digest = hashlib.sha256(str(table.num_rows).encode())
    for field, column in zip(table.schema, table.columns, strict=True):
        digest.update(f"\n{field.name} {field.type}\n".encode())
        digest.update(column.is_null().to_numpy().tobytes())
        if pa.types.is_string(field.type):
            column = column.fill_null("")
            digest.update(pc.binary_length(column).to_numpy().astype("<i4").tobytes())
            digest.update("".join(column.to_pylist()).encode())
            continue
        if pa.types.is_date32(field.type):
            column = column.cast(pa.int32())
        values = column.fill_null(0).to_numpy()
        digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def commit_table(path: Path, table: pa.Table) -> Commit:
    """Make `table` the current version of the Delta table at `path`, unless it already is.

    A Delta commit is one atomic file, so a killed process leaves the old version. The lock keeps
    two processes of this machine from committing the same data twice.
    Raises BikecastError where the table cannot be written; the old version stays.
    """
    version = data_version(table)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / f".{path.name}.lock", timeout=LOCK_SECONDS):
            current = _open(path)
            if current is not None and _stored_version(current) == version:
                return Commit(version, current.version(), changed=False)
            write_deltalake(
                str(path),
                table,
                mode="overwrite",
                schema_mode="overwrite",
                commit_properties=CommitProperties(custom_metadata={DATA_VERSION: version}),
            )
            return Commit(version, DeltaTable(str(path)).version(), changed=True)
    except Timeout as error:
        raise BikecastError(
            f"another process has been writing {path} for {LOCK_SECONDS:.0f} s; try again"
        ) from error
    except (OSError, DeltaError) as error:
        raise BikecastError(
            f"cannot write the table {path}: {error}. The old version of it is unchanged"
        ) from error


def current_files(path: Path) -> list[str]:
    """The Parquet files of the table's current version; empty where there is no table."""
    table = _open(path)
    return [] if table is None else [unquote(uri) for uri in table.file_uris()]


def recorded_version(path: Path) -> tuple[str, int] | None:
    """Data version and Delta version of the table's current commit, if `commit_table` made it."""
    table = _open(path)
    if table is None:
        return None
    version = table.history(1)[0].get(DATA_VERSION)
    return (str(version), table.version()) if version else None


def _open(path: Path) -> DeltaTable | None:
    try:
        return DeltaTable(str(path))
    except TableNotFoundError:
        return None


def _stored_version(table: DeltaTable) -> str:
    """The data version of the current commit; computed where a foreign writer made the commit."""
    recorded = table.history(1)[0].get(DATA_VERSION)
    return str(recorded) if recorded else data_version(table.to_pyarrow_table())
