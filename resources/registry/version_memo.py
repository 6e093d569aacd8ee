"""The versions that were read last, for as long as the registry's database has the same bytes.

Importing MLflow and opening its store takes longer than all else that an unchanged run does. The
database is a file of a few MiB, so its hash says exactly, and in milliseconds, that nothing in it
has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from bikecast.core.errors import BikecastError
from bikecast.core.files import file_digest, replaced_file
from resources.registry.port import ModelVersion

#: The memo's name in the folder of a model's files.
MEMO = "versions.json"


def remembered(
    memo: Path, database: Path, read: Callable[[], list[ModelVersion]]
) -> list[ModelVersion]:
    """What `read` returns; not called where `memo` has it from these very bytes of `database`.

    A memo that cannot be read or written costs the reading, nothing else.
    """
    before = _state(memo, database)
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        stored = json.loads(memo.read_text(encoding="utf-8"))
        if stored["state"] == before:
            return [_version(entry) for entry in stored["versions"]]
    versions = read()
    if versions and memo.parent.is_dir() and _state(memo, database) == before:
        kept = [asdict(entry) | {"created_at": entry.created_at.isoformat()} for entry in versions]
        with suppress(OSError, BikecastError), replaced_file(memo) as temporary:
            temporary.write_text(json.dumps({"state": before, "versions": kept}), encoding="utf-8")
    return versions


def last_remembered(memo: Path) -> list[ModelVersion]:
    """What a memo has, of whatever database; empty where it cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        stored = json.loads(memo.read_text(encoding="utf-8"))
        return [_version(entry) for entry in stored["versions"]]
    return []


def _version(entry: dict[str, Any]) -> ModelVersion:
    moment = datetime.fromisoformat(entry["created_at"])
    return ModelVersion(**entry | {"created_at": moment, "aliases": tuple(entry["aliases"])})


def _state(memo: Path, database: Path) -> str:
    """A hash of the database and its write-ahead log, of where the files are, and of the form."""
    form = [field.name for field in fields(ModelVersion)]
    digest = hashlib.sha256(repr((memo, form)).encode())
    for file in (database, database.with_name(f"{database.name}-wal")):
        if file.is_file():
            digest.update(file_digest(file).encode())
    return digest.hexdigest()
