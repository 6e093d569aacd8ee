"""The versions that were read last, for as long as the registry's database has the same bytes.

Importing MLflow and opening its store takes longer than all else that an unchanged run does. The
database is a file of a few MiB, so its hash says exactly, and in milliseconds, that nothing in it
has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from resources.errors import BikecastError
from resources.files import file_digest, replaced_file
from resources.registry.port import ModelVersion


@dataclass(frozen=True)
class _Memo:
    state: str
    versions: list[ModelVersion]


def remembered(
    memo: Path, database: Path, read: Callable[[], list[ModelVersion]]
) -> list[ModelVersion]:
    """What `read` returns; not called where `memo` has it from these very bytes of `database`.

    A memo that cannot be read or written costs the reading, nothing else.
    """
    from pydantic import TypeAdapter

    kept = TypeAdapter(_Memo)
    before = _state(memo, database)
    with suppress(OSError, ValueError):
        found = kept.validate_json(memo.read_bytes())
        if found.state == before:
            return found.versions
    versions = read()
    if versions and _state(memo, database) == before:
        with suppress(OSError, BikecastError), replaced_file(memo) as temporary:
            temporary.write_bytes(kept.dump_json(_Memo(before, versions)))
    return versions


def _state(memo: Path, database: Path) -> str:
    """A hash of the database and its write-ahead log, and of where the model files are."""
    digest = hashlib.sha256(str(memo).encode())
    for file in (database, database.with_name(f"{database.name}-wal")):
        if file.is_file():
            digest.update(file_digest(file).encode())
    return digest.hexdigest()
