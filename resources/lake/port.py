"""The lake's ports: its files, and the files that come into it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import BinaryIO, Protocol

#: What is said of a file whose name says nothing about what is in it.
BY_HAND = "a file put there by hand"
KEPT = " (kept in the lake)"


@dataclass(frozen=True)
class LakeFile:
    """One file of the lake. `path` is relative to the lake's root, with forward slashes."""

    path: str
    size: int
    digest: str
    """SHA-256 of the content, in hex."""


@dataclass(frozen=True)
class CsvFormat:
    """Each part overrules what would be recognised; an empty one leaves it to that.

    `columns` gives, by a spec's name of a column, the name that the file has for it. `start_date`
    (ISO) is the day of the first row of a file to score that has no days; each next row is the
    next day.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ""
    decimal: str = ""
    date_format: str = ""
    encoding: str = ""
    start_date: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, part.name) for part in fields(self))


@dataclass(frozen=True)
class Part:
    """One file of a source that has many; `name` is its path below their common folder.

    `changed` is when it was changed last, in nanoseconds.
    """

    path: Path
    name: str
    size: int
    changed: int
    digest: str


@dataclass(frozen=True)
class Earlier:
    """What the lake has of the first files of a source: a canonical file, and the rows of each.

    `model` is what decided how they were read, `digest` that of the file.
    """

    path: Path
    rows: tuple[int, ...]
    model: object
    digest: str


@dataclass(frozen=True)
class FetchedFile:
    """A local file, and where it came from, for people (no secret in it).

    `is_new` is False for what the lake keeps, `is_sample` True for a simulated one. `format` is
    what was said about how it is written. A folder or a glob has `parts`, which are written to
    `path`, one below the other, when they are read; of the first the lake has what `earlier` says.
    """

    path: Path
    origin: str
    is_new: bool = True
    is_sample: bool = False
    format: CsvFormat = CsvFormat()
    content: object = None
    """What was read of it before the run began, so that it is not read again; None if nothing."""
    parts: tuple[Part, ...] = ()
    earlier: Earlier | None = None
    kept: LakeFile | None = None
    """What the lake keeps and was checked when it was stored; then there is no `path`."""


class SourceFiles(Protocol):
    """Where the lake's files come from, by lake path."""

    def holds(self, lake_path: str) -> bool:
        """Whether the file was fetched, and checked, before the run began."""
        ...

    def fetch(
        self, lake_path: str, override: str | None = None
    ) -> AbstractContextManager[FetchedFile]:
        """The file for a lake path, for as long as the context lasts.

        `override` (of one run) goes before the settings.
        Raises InvalidInput where the source is no readable file, and BikecastError where a
        download fails. The lake is not changed here.
        """
        ...


class Lake(Protocol):
    """Files by path. Writes are atomic: readers see the old content or the new one."""

    def put(self, path: str, source: Path) -> LakeFile:
        """Copy a local file into the lake; unchanged content is not written again."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading.

        Raises InvalidInput where there is no such file.
        """
        ...

    def stat(self, path: str) -> LakeFile | None:
        """Describe a file, or None where there is none."""
        ...

    def local_copy(self, path: str) -> AbstractContextManager[Path]:
        """A local file with the content, for as long as the context lasts."""
        ...

    def url(self, path: str) -> str:
        """The address under which Spark and Delta readers find the path."""
        ...

    def copy_url(self, path: str) -> str:
        """The address under which COPY INTO finds the path."""
        ...

    def table_options(self) -> dict[str, str]:
        """Storage options for readers of Delta tables outside Spark; holds no secret locally."""
        ...


def names_the_data(origin: str) -> bool:
    """Whether two files of this origin are one source; pipes and files put by hand are not."""
    is_pipe = origin in ("standard input", BY_HAND) or origin.startswith(("/dev/", "/proc/"))
    return not is_pipe and not origin.endswith(KEPT)
