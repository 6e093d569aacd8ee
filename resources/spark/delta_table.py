"""Training tables as Delta: the engine's Parquet files committed, only where the content is new."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from bikecast.core.errors import BikecastError
from bikecast.core.files import file_digest
from bikecast.core.locks import exclusive
from bikecast.core.spec import Column
from bikecast.core.sql_types import arrow_schema
from resources.lake.parquet_folders import commit_files, local_files
from resources.lake.port import Lake
from resources.lake.table_files import DIGESTS, file_problems, open_local_table
from resources.spark.content import FORMULA, Content

#: Keys of a commit's metadata: the data version, its formula, and what it was made of.
DATA_VERSION, FORMULA_KEY = "bikecast.dataVersion", "bikecast.dataFormula"
CONTENT = "bikecast.content"
#: The folders of a table that hold the files of one preparation.
PREPARED = "prepared-"
_ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True)
class Commit:
    """The state of a table: its data version and Delta version; `changed` if we wrote it."""

    data_version: str
    delta_version: int
    changed: bool


def commit_folder(
    lake: Lake,
    path: str,
    place: Path,
    folder: str,
    columns: Sequence[Column],
    content: Content,
    content_of_files: Callable[[Sequence[str]], Content],
) -> Commit:
    """Make the Parquet files in a folder of the table its version, unless it says the same already.

    `path` is the table's lake path and `place` where that is here. Where the current version was
    made by an older formula, or by somebody else, `content_of_files` tells what is in its files;
    an older version of the same content stays as it is, so that nothing is trained again. A
    version whose files are damaged is replaced by the same content.
    A Delta commit is one atomic file, so a killed process leaves the old version. The lock keeps
    two processes of this machine from committing the same data twice.
    Raises BikecastError where the table cannot be written; the old version stays.
    """
    version = content.version(columns)
    with _alone(place):
        current = _open(place)
        if current is not None:
            commit = current.history(1)[0]
            recorded = str(commit.get(DATA_VERSION) or "")
            if commit.get(FORMULA_KEY) != FORMULA and _has_columns(current, columns):
                files = [unquote(uri) for uri in current.file_uris()]
                if content_of_files(files) == content:
                    version = recorded or version
                    recorded = version
            if recorded == version and _is_whole(place, current):
                shutil.rmtree(place / folder, ignore_errors=True)
                return Commit(version, current.version(), changed=False)
        schema = arrow_schema(tuple(columns))
        files_there = local_files(place, folder, schema)
        digests = {file.path: file_digest(place / file.path) for file in files_there}
        properties = {
            DATA_VERSION: version,
            FORMULA_KEY: FORMULA,
            DIGESTS: json.dumps(digests),
            CONTENT: json.dumps([content.rows, *content.sums]),
        }
        number = commit_files(lake, path, files_there, schema, properties)
        _remove_abandoned(place)
        return Commit(version, number, changed=True)


def current_files(path: Path) -> list[str]:
    """The Parquet files of the table's current version; empty where there is no table."""
    table = _open(path)
    return [] if table is None else [unquote(uri) for uri in table.file_uris()]


def recorded_version(path: Path) -> tuple[str, int] | None:
    """Data version and Delta version of the table's current commit, if it was made by us and its
    files are whole. Raises Damaged where the table's log cannot be read."""
    table = _open(path)
    if table is None or not _is_whole(path, table):
        return None
    version = table.history(1)[0].get(DATA_VERSION)
    return (str(version), table.version()) if version else None


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold the table's lock; errors of disk and Delta are ours."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(place.parent / f".{place.name}.lock"):
            yield
    except (OSError, DeltaError) as error:
        raise BikecastError(
            f"cannot write the table {place}: {error}. The old version of it is unchanged"
        ) from error


def _open(path: Path) -> DeltaTable | None:
    try:
        return open_local_table(path)
    except TableNotFoundError:
        return None


def _is_whole(place: Path, table: DeltaTable) -> bool:
    return not any(problem for _, problem in file_problems(place, table))


def _has_columns(table: DeltaTable, columns: Sequence[Column]) -> bool:
    import pyarrow as pa

    return bool(pa.schema(table.schema().to_arrow()).equals(arrow_schema(tuple(columns))))


def _remove_abandoned(place: Path) -> None:
    """Remove folders of preparations that were killed: old, and in no version of the table."""
    limit = time.time() - _ABANDONED_SECONDS
    old = [p for p in place.glob(f"{PREPARED}*") if p.stat().st_mtime < limit]
    if not old:
        return
    log = "".join(path.read_text("utf-8") for path in (place / "_delta_log").glob("*.json"))
    for folder in old:
        if folder.name not in log:
            shutil.rmtree(folder, ignore_errors=True)
