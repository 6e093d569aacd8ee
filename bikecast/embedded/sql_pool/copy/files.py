"""The files that a location of COPY INTO means; only those inside of the lake."""

from __future__ import annotations

import re
from pathlib import Path

from bikecast.embedded.sql_pool.errors import SqlError

PATH_ERROR = 13807
_WILDCARD = re.compile(r"(?<!\\)\*")


def find_files(location: str, lake_root: Path) -> list[Path]:
    """The files of a location in the order of their names.

    A location is file:///path or an absolute path of a file, of a folder (with all below it), or
    with wildcards, where * stands for any text, folders included, and \\* for a star. What
    starts with _ or . is left out unless the location itself names it. Raises SqlError for a
    location outside of the lake or without a file.
    """
    root = lake_root.resolve()
    if re.match(r"(?i)(?!file:)[a-z]+://", location):
        raise SqlError(
            PATH_ERROR,
            f"The embedded SQL pool reads file:// locations of the lake only, not '{location}'.",
        )
    text = location.removeprefix("file://")
    wildcard = _WILDCARD.search(text)
    # Wildcards are matched below the folder before the first of them.
    plain = text[: wildcard.start()].rpartition("/")[0] if wildcard else text
    base = Path(plain.replace("\\*", "*"))
    if not base.is_absolute() or not _inside(base, root):
        raise SqlError(PATH_ERROR, f"The location '{location}' is not inside of the lake {root}.")
    if base.is_dir():
        rest = text[len(plain) :].lstrip("/") if wildcard else "*"
        paths = sorted(path for path in base.rglob("*") if _matches(path, base, rest))
    else:
        paths = [base] if base.is_file() and not wildcard else []
    if not paths:
        raise SqlError(PATH_ERROR, f"Content of the path '{location}' cannot be listed.")
    for path in paths:
        if not _inside(path, root):
            raise SqlError(PATH_ERROR, f"The file '{path}' is not inside of the lake {root}.")
    return [path.resolve() for path in paths]


def in_lake(location: str, lake_root: Path, lake_url: str) -> str:
    """The location below `lake_root` that an https location below `lake_url` stands for.

    Any other location comes back as it is. An account's blob and dfs hosts are the same lake.
    """
    if not lake_url:
        return location
    prefix = _dfs(lake_url).rstrip("/") + "/"
    url = _dfs(location)
    if not url.lower().startswith(prefix.lower()):
        return location
    return f"file://{lake_root.resolve()}/{url[len(prefix) :]}"


def _dfs(url: str) -> str:
    return url.replace(".blob.core.windows.net", ".dfs.core.windows.net", 1)


def _matches(path: Path, base: Path, pattern: str) -> bool:
    relative = path.relative_to(base)
    hidden = any(part.startswith(("_", ".")) for part in relative.parts)
    named = any(part.startswith(("_", ".")) for part in pattern.split("/"))
    parts = (re.escape(part.replace("\\*", "*")) for part in _WILDCARD.split(pattern))
    return (
        (named or not hidden)
        and re.fullmatch(".*".join(parts), relative.as_posix()) is not None
        and path.is_file()
    )


def _inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root)
