"""Files that a command reads and checks before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assets.lake import csv_files
from bikecast.core.errors import InvalidInput
from bikecast.core.spec import ModelSpec
from resources.lake.sources import Sources

if TYPE_CHECKING:
    from resources.lake.csv_file import CsvContent


@contextmanager
def checked_files(
    spec: ModelSpec, sources: Sources, paths: Sequence[str] | None = None
) -> Iterator[dict[str, tuple[str, CsvContent]]]:
    """Fetch and check the files of these lake paths (default: both), before anything is stored.

    Yields where each came from and what was read; the runs inside take these very files.
    Raises InvalidInput with the problems of all of them.
    """
    from resources.lake.csv_file import REFUSED

    files = {
        file.lake_path: file
        for file in csv_files(spec)
        if file.lake_path in (paths or [file.lake_path])
    }
    problems, contents = [], {}
    with sources.hold(*files) as fetched:
        for path, file in files.items():
            try:
                content = file.read(fetched[path], spec, sources.lake)
                contents[path] = (fetched[path].origin, content)
                sources.read(path, content)
            except InvalidInput as error:
                problems.append(without_refusal(error))
        if problems:
            raise InvalidInput("\n".join([*problems, REFUSED]))
        yield contents


def without_refusal(error: InvalidInput) -> str:
    """The text of a reader's error without its last line, which says that nothing was stored."""
    from resources.lake.csv_file import REFUSED

    return str(error).removesuffix(REFUSED).rstrip()
