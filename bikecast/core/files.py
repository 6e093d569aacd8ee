"""Atomic writing of local files, and the errors of a disk in words for people."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bikecast.core.errors import BikecastError, InvalidInput

_CHUNK = 1 << 20


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Yield a temporary file beside `target` that becomes `target` when the block succeeds.

    The content is flushed to disk before the rename, so a reader sees the old file or the new
    one, even after a crash. The temporary file is removed if the block fails. Temporary files of
    processes that no longer live are removed too.
    Raises InvalidInput where `target` is a folder, BikecastError where its folder cannot be written
    or the disk is full.
    """
    if target.is_dir():
        raise InvalidInput(
            f"{target} is a folder. Nothing was written; name a file, such as "
            f"{target / 'file.csv'}."
        )
    temporary = target.parent / f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        temporary.touch()
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise BikecastError(
            f"cannot write {target}: {error.strerror or error}. What was there before is "
            "unchanged. Free some space, or make the folder writable, and run again."
        ) from error
    finally:
        _remove_quietly(temporary)


@contextmanager
def temporary_file(content: bytes) -> Iterator[Path]:
    """A file with this content, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        yield path


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content in hex, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(target: Path) -> None:
    prefix = f".{target.name}."
    for path in target.parent.iterdir():
        if not (path.name.startswith(prefix) and path.name.endswith(".tmp")):
            continue
        pid = path.name[len(prefix) :].split("-", 1)[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            _remove_quietly(path)


def _is_alive(pid: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(pid))


def _remove_quietly(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # a folder that became read-only; the caller already reports it
