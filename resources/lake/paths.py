"""Which texts are paths inside a lake."""

from __future__ import annotations

from pathlib import PurePosixPath

from bikecast.core.errors import InvalidInput


def checked_parts(path: str) -> tuple[str, ...]:
    """The parts of a lake path.

    Raises InvalidInput for an empty or absolute path and for one with `..`, a backslash or NUL.
    """
    parts = PurePosixPath(path)
    bad = not parts.parts or parts.is_absolute() or ".." in parts.parts
    if bad or "\\" in path or "\x00" in path:
        raise InvalidInput(f"{path!r} is not a path inside the lake")
    return parts.parts
