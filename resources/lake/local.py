"""The lake as a folder of this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import Field

from bikecast.core.errors import InvalidInput
from bikecast.core.files import file_digest, replaced_file
from resources.adapter import Adapter
from resources.lake.paths import checked_parts, described_source
from resources.lake.port import LakeFile

#: Characters of a folder's name that Spark, Delta or DuckDB readers do not take literally.
_UNSAFE_IN_ROOT = frozenset("*?[]{}%#\\")


class LocalLake(Adapter):
    """Files under one root folder; implements the port Lake. The root is made when first used."""

    root: str = Field(description="The lake's folder; it is created on the first write.")

    def put(self, path: str, source: Path) -> LakeFile:
        """Copy `source` to the lake path.

        Raises InvalidInput for a path outside the lake or a source that cannot be read, and
        BikecastError where the folder is read-only or the disk is full.
        """
        target = self.local_path(path)
        new = described_source(path, source)
        if self.stat(path) != new:
            with replaced_file(target) as temporary:
                shutil.copyfile(source, temporary)
                if file_digest(temporary) != new.digest:
                    raise InvalidInput(
                        f"{source} changed while it was stored; {path} in the lake is unchanged. "
                        "Wait until the file is written, and run again"
                    )
        return new

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading; raises InvalidInput where there is none."""
        with self.local_copy(path) as target:
            return target.open("rb")

    def stat(self, path: str) -> LakeFile | None:
        """Size and digest of a file, or None where there is none."""
        target = self.local_path(path)
        if not target.is_file():
            return None
        return LakeFile(path, target.stat().st_size, file_digest(target))

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """The file itself: the lake is local, so nothing is copied. Do not write to it."""
        target = self.local_path(path)
        if not target.is_file():
            raise InvalidInput(f"there is no file {path} in the lake {self.root}")
        yield target

    def url(self, path: str) -> str:
        """The path as `file:///...`, readable (not percent-encoded) as Spark and Delta take it."""
        return f"file://{self.local_path(path)}"

    def copy_url(self, path: str) -> str:
        """The same address: the embedded pool reads the folder."""
        return self.url(path)

    def table_options(self) -> dict[str, str]:
        """A local folder needs no storage options."""
        return {}

    def local_path(self, path: str) -> Path:
        """The file's place on this machine; raises InvalidInput for a path outside the lake."""
        return lake_path(self.root, path)


def lake_path(root: str, path: str) -> Path:
    """The absolute place of a lake path under a local root.

    Raises InvalidInput for an absolute path, one with `..`, or one that a symbolic link leads
    out of the lake.
    """
    parts = checked_parts(path)
    folder = Path(root).expanduser().resolve()
    if unsafe := sorted(_UNSAFE_IN_ROOT & set(str(folder))):
        raise InvalidInput(
            f"the lake's folder {folder} has {' '.join(unsafe)} in its name, which engines take "
            "for a pattern or an escape; nothing was written. Set BIKECAST_HOME to another folder"
        )
    target = folder.joinpath(*parts)
    if not target.resolve().is_relative_to(folder):
        raise InvalidInput(f"{path!r} leads out of the lake {folder}")
    return target
