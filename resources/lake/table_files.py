"""Whether the files of a local Delta table are what its log says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import Damaged
from bikecast.core.files import file_digest

if TYPE_CHECKING:
    from deltalake import DeltaTable

#: Key of a commit's metadata: the SHA-256 of each file by its path, as JSON.
DIGESTS = "bikecast.files"


def open_local_table(place: Path, version: int | None = None) -> DeltaTable:
    """A Delta table of this machine, at its latest version or another one.

    Raises TableNotFoundError where there is none, Damaged where its log cannot be read.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    try:
        table = DeltaTable(str(place), version=version)
    except TableNotFoundError:
        raise
    except DeltaError as error:
        raise Damaged(place / "_delta_log", error) from error
    _digests(place, table)
    return table


def _digests(place: Path, table: DeltaTable) -> dict[str, str]:
    """The SHA-256 of the version's files, as its commit has them; none where it has none.

    Not by the table's history, which reads later commits too. Raises Damaged.
    """
    commit = place / "_delta_log" / f"{table.version():020}.json"
    if not commit.exists():  # only a checkpoint is left of it
        return {}
    try:
        actions = [json.loads(text) for text in commit.read_bytes().splitlines() if text.strip()]
        if not actions:
            raise Damaged(commit.parent, "its last commit is empty")
        info: dict[str, str] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
        digests: dict[str, str] = json.loads(info.get(DIGESTS) or "{}")
    except (ValueError, TypeError, AttributeError) as error:
        raise Damaged(commit.parent, "its last commit is no JSON") from error
    return digests


def file_problems(
    place: Path, table: DeltaTable, most_bytes: int | None = None
) -> Iterator[tuple[Path, str]]:
    """Each file of the table's version, and what is wrong with it; empty where nothing is.

    Compared are size and, where the commit has it, SHA-256; else the file is read. Of files larger
    than `most_bytes` only the size and the footer are looked at.
    """
    actions = table.get_add_actions(flatten=True)
    sizes = zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True)
    digests = _digests(place, table)
    for name, size in sizes:
        path = place / str(name)
        is_read = most_bytes is None or int(size) <= most_bytes
        try:
            problem = _problem(path, int(size), digests.get(str(name)), is_read=is_read)
        except FileNotFoundError:
            problem = "it is not there"
        except (OSError, ValueError) as error:
            problem = f"no Parquet ({type(error).__name__})"
        yield path, problem


def _problem(path: Path, size: int, digest: str | None, *, is_read: bool) -> str:
    import pyarrow.parquet as pq

    if path.stat().st_size != size:
        return f"{path.stat().st_size:,} bytes, and the table's log says {size:,}"
    if digest and is_read:
        return "" if file_digest(path) == digest else "its SHA-256 is not the one of its commit"
    with pq.ParquetFile(path) as file:
        for _ in file.iter_batches() if is_read else ():
            pass
    return ""
