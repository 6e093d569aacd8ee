"""Which texts are paths inside a lake, and what is stored at one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from bikecast.core.errors import InvalidInput
from bikecast.core.files import file_digest
from resources.lake.port import LakeFile


def checked_parts(path: str) -> tuple[str, ...]:
    """The parts of a lake path.

    Raises InvalidInput for an empty or absolute path and for one with `..`, a backslash or NUL.
    """
    parts = PurePosixPath(path)
    bad = not parts.parts or parts.is_absolute() or ".." in parts.parts
    if bad or "\\" in path or "\x00" in path:
        raise InvalidInput(f"{path!r} is not a path inside the lake")
    return parts.parts


def described_source(path: str, source: Path) -> LakeFile:
    """What a local file will be at a lake path; raises InvalidInput where it cannot be read."""
    try:
        return LakeFile(path, source.stat().st_size, file_digest(source))
    except OSError as error:
        raise InvalidInput(
            f"cannot read {source}: {error.strerror or error}; {path} in the lake is unchanged"
        ) from error
