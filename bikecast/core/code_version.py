"""Code versions of assets: a digest of the source files and libraries that decide their result."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARY = "library:"
_ROOT = Path(__file__).resolve().parents[2]


@cache
def code_version(*sources: str) -> str:
    """Digest of files and folders given relative to the project; 12 hex digits.

    A folder stands for all Python and SQL files below it, `library:NAME` for the version of an
    installed distribution. Nothing is imported. Raises FileNotFoundError for a path that is not
    there: a file that was moved would otherwise no longer count.
    """
    digest = hashlib.sha256()
    for source in sources:
        if source.startswith(LIBRARY):
            digest.update(f"{source}=={version(source.removeprefix(LIBRARY))}".encode())
            continue
        path = _ROOT / source
        paths = [path] if path.is_file() else sorted(path.rglob("*"))
        files = [file for file in paths if file.suffix in {".py", ".sql"}]
        if not files:
            raise FileNotFoundError(f"{source} decides a result and is not there")
        for file in files:
            digest.update(file.relative_to(_ROOT).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
