"""Files that a command reads and checks before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assets.lake import csv_files
from bikecast.core.errors import InvalidInput
from bikecast.core.spec import ModelSpec
from resources.lake.port import FetchedFile
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
        _check_start_date(spec, sources, fetched)
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


def _check_start_date(
    spec: ModelSpec, sources: Sources, fetched: Mapping[str, FetchedFile]
) -> None:
    """Raise InvalidInput where a start date is said that no file is read by."""
    scoring = fetched.get(spec.scoring_file)
    start_date = sources.format.start_date
    if start_date and (scoring is None or scoring.format.start_date != start_date):
        raise InvalidInput(
            "--start-date is about the file with the rows to score, and no new one is given: what "
            "the lake has is read as it was stored, and the sample has days. Nothing was changed; "
            "name the file with --forecast, or leave out --start-date (and BIKECAST_START_DATE)."
        )


def without_refusal(error: InvalidInput) -> str:
    """The text of a reader's error without its last line, which says that nothing was stored."""
    from resources.lake.csv_file import REFUSED

    return str(error).removesuffix(REFUSED).rstrip()
