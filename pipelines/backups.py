"""One file with all of a home, made while it is in use, and a home made of it.

The file is a tar: `manifest.json` first (version, time, SHA-256 and size of each file), then the
files by their paths in the home. Databases are copied by their own means: SQLite's backup API, and
DuckDB's COPY FROM DATABASE. What can be made again is left out: locks, logs, the certificate.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import file_digest, replaced_file
from bikecast.core.sql import SqlError
from pipelines.home import Home

VERSION = 1
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 256 << 20
_CHUNK = 1 << 20
#: At the top of a home, what no backup has.
_LEFT_OUT = frozenset({"logs", "smoke", "server.pem", ".room", "damaged"})
_LEFT_OUT_ENDINGS = (".lock", ".tmp", "-wal", "-shm", "-journal", ".wal")
_SQLITE = b"SQLite format 3\x00"


def backup(home: Home, target: Path) -> int:
    """Write all of a home into one file; returns the number of its files.

    It may be in use. Raises InvalidInput where there is nothing to back up, and BikecastError where
    the pool stays in use, a database is damaged or the file cannot be written; no file is left.
    """
    if not home.root.is_dir() or not any(home.root.iterdir()):
        raise InvalidInput(f"There is no home at {home.root}; nothing was written.")
    target = target.absolute()
    with (
        replaced_file(target) as temporary,
        tempfile.TemporaryDirectory(prefix="bikecast-backup-", dir=target.parent) as folder,
    ):
        staged = Path(folder)
        _stage_databases(home, staged)
        _stage_files(home, staged, without=target)
        paths = sorted(path for path in staged.rglob("*") if path.is_file())
        names = {path: path.relative_to(staged).as_posix() for path in paths}
        manifest = {
            "version": VERSION,
            "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "files": {
                names[path]: {"sha256": file_digest(path), "size": path.stat().st_size}
                for path in paths
            },
        }
        text = staged / f".{_MANIFEST}"
        text.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        with tarfile.open(temporary, "w") as tar:
            tar.add(text, _MANIFEST)
            for path in paths:
                tar.add(path, names[path], recursive=False)
    return len(paths)


def _stage_databases(home: Home, staged: Path) -> None:
    """The databases first: what they name is then there among the files."""
    for path in _files(home):
        if path == home.pool or not _is_sqlite(path):
            continue
        copy = _place(home, staged, path)
        try:
            with (
                contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise BikecastError(
                f"The database {path} cannot be read: {error}. No backup was written, and the home "
                "is unchanged. Look at it first: bikecast doctor"
            ) from error
    if home.pool.exists():
        from bikecast.embedded.sql_pool import Pool

        try:
            Pool(home.pool, home.lake).copy_to(_place(home, staged, home.pool))
        except SqlError as error:
            raise BikecastError(
                f"The SQL pool {home.pool} cannot be copied: {error.message} No backup was "
                "written, and the home is unchanged."
            ) from error


def _stage_files(home: Home, staged: Path, without: Path) -> None:
    """Copy the other files: the logs of Delta tables first, since what they name is there."""
    paths = [path for path in _files(home) if path not in (home.pool, without)]
    paths.sort(key=lambda path: "_delta_log" not in path.parts)
    for path in paths:
        copy = _place(home, staged, path)
        if copy.exists() or _is_sqlite(path):
            continue
        with contextlib.suppress(FileNotFoundError):  # it was removed in this moment
            shutil.copyfile(path, copy)


def _files(home: Home) -> Iterator[Path]:
    for path in home.root.rglob("*"):
        top = path.relative_to(home.root).parts[0]
        if top in _LEFT_OUT or path.name.endswith(_LEFT_OUT_ENDINGS) or path.is_symlink():
            continue
        if path.is_file():
            yield path


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        return False


def _place(home: Home, staged: Path, path: Path) -> Path:
    copy = staged / path.relative_to(home.root)
    copy.parent.mkdir(parents=True, exist_ok=True)
    return copy


def restore(source: Path, home: Home) -> int:
    """Make a home of a backup, where there is none; returns the number of its files.

    Every file is checked against the manifest before the home is there, so it is whole or not.
    Raises InvalidInput where there is a home already, and for a file that is no backup, or a
    damaged one.
    """
    root = home.root
    not_empty = InvalidInput(
        f"{root} is not empty, and a backup is never put over a home. Nothing was changed; "
        "move it away, or set BIKECAST_HOME to another folder."
    )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise not_empty
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bikecast-restore-", dir=root.parent) as folder:
        made = Path(folder) / "home"
        made.mkdir()
        try:
            with tarfile.open(source, "r:") as tar:
                files = _unpack(tar, made, source)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise InvalidInput(
                f"{source} cannot be read as a backup: {error}. Nothing was changed; take another "
                "one."
            ) from error
        try:
            made.replace(root)  # an empty folder gives way
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise not_empty from error  # another one was faster
    return len(files)


def _unpack(tar: tarfile.TarFile, made: Path, source: Path) -> dict[str, Any]:
    """Unpack what the manifest names, and check it. Raises InvalidInput."""
    first = tar.next()
    if first is None or first.name != _MANIFEST or not 0 < first.size < _LARGEST_MANIFEST:
        raise _damaged(source, "it has no manifest")
    stream = tar.extractfile(first)
    try:
        manifest = json.loads(stream.read() if stream else b"")
        version, files = manifest["version"], dict(manifest["files"])
        expected = {name: (entry["sha256"], entry["size"]) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(source, "its manifest cannot be read") from error
    if version != VERSION:
        raise InvalidInput(
            f"{source} is a backup of format {version}; this bikecast reads {VERSION}. Nothing was "
            "changed; restore it by the version that made it."
        )
    missing = dict(expected)
    while (member := tar.next()) is not None:
        path = PurePosixPath(member.name)
        digest, size = missing.pop(member.name, ("", -1))
        if not member.isreg() or member.size != size or path.is_absolute() or ".." in path.parts:
            raise _damaged(source, f"{member.name!r} is not what its manifest says")
        stream = tar.extractfile(member)
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if stream is None or _copied(stream, target) != digest:
            raise _damaged(source, f"{member.name!r} has another checksum")
    if missing:
        raise _damaged(source, f"{len(missing)} files are missing, such as {next(iter(missing))!r}")
    return expected


def _copied(stream: IO[bytes], target: Path) -> str:
    """Write a file; returns the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _damaged(source: Path, reason: str) -> InvalidInput:
    return InvalidInput(
        f"{source} is damaged or no backup: {reason}. Nothing was changed; take another one."
    )
