"""Where the lake's files come from: paths, folders, globs, URLs, the sample, or the lake itself."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from bikecast.core.errors import InvalidInput, printable
from bikecast.core.files import file_digest
from bikecast.core.urls import is_url, public_url
from resources.lake.download import download
from resources.lake.many_files import described_parts, files_of
from resources.lake.port import KEPT, CsvFormat, Earlier, FetchedFile, Lake
from resources.lake.raw_files import kept_file, kept_format, stored_parts

#: The word that asks for the simulated sample although the lake has a file.
SAMPLE = "sample"
#: The word for what is piped into the command.
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Sample:
    """A generator of a sample file: `write(out_path)`, and a word about it for people."""

    description: str
    write: Callable[[Path], None]


@dataclass(frozen=True)
class Sources:
    """The source of each lake file, by lake path; implements the port SourceFiles.

    `paths` holds what the settings say: a path (of a file or a folder), a glob, an http(s) URL,
    "sample", or None to keep what the lake has (and take the sample where it has nothing).
    `format` is how those files are written, as far as people say it. `samples` generates the
    samples; they come from outside, because a resource knows no model. Files that a run's
    configuration names lie below `folders`; None lets it name any.
    """

    lake: Lake
    paths: Mapping[str, str | None] = field(default_factory=dict)
    format: CsvFormat = field(default_factory=CsvFormat)
    samples: Mapping[str, Sample] = field(default_factory=dict)
    folders: tuple[Path, ...] | None = None
    _held: dict[str, FetchedFile] = field(default_factory=dict, repr=False)

    @contextmanager
    def hold(self, *lake_paths: str) -> Iterator[dict[str, FetchedFile]]:
        """Fetch files once for as long as the context lasts; `fetch` then gives the same ones.

        Raises InvalidInput that names all files that cannot be read.
        """
        problems = []
        self._check_format(lake_paths)
        with ExitStack() as stack:
            stack.callback(self._held.clear)
            for lake_path in lake_paths:
                try:
                    self._held[lake_path] = stack.enter_context(self.fetch(lake_path))
                except InvalidInput as error:
                    problems.append(str(error))
            if problems:
                raise InvalidInput("\n".join(problems))
            yield dict(self._held)

    def _check_format(self, lake_paths: tuple[str, ...]) -> None:
        """Raise InvalidInput where a format is given that none of the files would be read by."""
        sources = [self.paths.get(path) for path in lake_paths]
        if not self.format or any(source not in (None, SAMPLE) for source in sources):
            return
        if self.format not in [kept_format(self.lake, path) for path in lake_paths]:
            raise InvalidInput(
                "Options say how a file is written, but no new file is given: what the lake has is "
                "read as it was stored, and the sample needs none. Nothing was changed; name the "
                "file with --csv or --forecast, or leave out the options (and BIKECAST_RENAME, "
                "_DELIMITER, _DECIMAL, _DATE_FORMAT, _ENCODING and _START_DATE)."
            )

    def read(self, lake_path: str, content: object) -> None:
        """Keep what was read of a held file; `fetch` gives it with the file."""
        self._held[lake_path] = replace(self._held[lake_path], content=content)

    def holds(self, lake_path: str) -> bool:
        """Whether `hold` has fetched the file."""
        return lake_path in self._held

    @contextmanager
    def fetch(self, lake_path: str, override: str | None = None) -> Iterator[FetchedFile]:
        """Yield the file for a lake path, for as long as the context lasts.

        `override` (of one run) goes before the settings.
        Raises InvalidInput where the source is no readable file, or one that a run may not name,
        and BikecastError where a download fails. The lake is not changed here.
        """
        if override and override != SAMPLE and not is_url(override):
            self._check_place(override)
        if override is None and lake_path in self._held:
            yield self._held[lake_path]
            return
        source = override or self.paths.get(lake_path)
        if source is None and self.lake.stat(lake_path) is not None:
            origin, told = f"{lake_path}{KEPT}", kept_format(self.lake, lake_path)
            if (kept := kept_file(self.lake, lake_path)) is not None:
                path = Path(lake_path)
                yield FetchedFile(path, origin, is_new=False, format=told, kept=kept)
                return
            with self.lake.local_copy(lake_path) as path:
                yield FetchedFile(path, origin, is_new=False, format=told)
            return
        if source is not None and (files := _many(source)) is not None:
            with self._fetched_parts(lake_path, source, files) as fetched:
                yield fetched
            return
        if source is not None and source != SAMPLE and not is_url(source):
            with _existing_file(source) as (path, name):
                yield FetchedFile(path, name, format=self.format)
            return
        with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
            path = Path(folder) / Path(lake_path).name
            if source is None or source == SAMPLE:
                sample = self._sample(lake_path)
                sample.write(path)
                yield FetchedFile(path, sample.description, is_sample=True)
            else:
                download(source, path)
                yield FetchedFile(path, public_url(source), format=self.format)

    def _check_place(self, source: str) -> None:
        """Raise InvalidInput for a path that no run may name, whether there is a file or not."""
        if self.folders is None:
            return
        folders = [os.path.realpath(folder) for folder in self.folders]

        def is_below(path: Path) -> bool:
            real = Path(os.path.realpath(path))  # a link counts as what it leads to
            return any(real.is_relative_to(folder) for folder in folders)

        if (
            source != STANDARD_INPUT
            and is_below(_path(source))
            and all(map(is_below, _many(source) or ()))
        ):
            return
        raise InvalidInput(
            f"{printable(source)}: the configuration of a run may name files below "
            f"{', '.join(map(str, self.folders)) or 'no folder'}. Nothing was stored. Put the file "
            "there, add its folder to BIKECAST_SOURCE_FOLDERS, or use `bikecast run --csv`, which "
            "reads any file."
        )

    @contextmanager
    def _fetched_parts(
        self, lake_path: str, source: str, files: list[Path]
    ) -> Iterator[FetchedFile]:
        """The files of a folder or a glob, and what the lake has of the first of them."""
        known, model = stored_parts(self.lake, lake_path, self.format)
        parts = tuple(described_parts(files, known))
        names = [(part.name, part.digest) for part in parts]
        kept = [(part["name"], part["digest"]) for part in known]
        origin = printable(str(Path(source).expanduser().absolute()))
        with tempfile.TemporaryDirectory(prefix="bikecast-") as folder, ExitStack() as stack:
            earlier = None
            if kept and names[: len(kept)] == kept:
                copy = stack.enter_context(self.lake.local_copy(lake_path))
                rows = tuple(int(part["rows"]) for part in known)
                earlier = Earlier(copy, rows, model, file_digest(copy))
            path = Path(folder) / Path(lake_path).name
            yield FetchedFile(path, origin, format=self.format, parts=parts, earlier=earlier)

    def _sample(self, lake_path: str) -> Sample:
        if lake_path not in self.samples:
            raise InvalidInput(
                f"there is no sample for {lake_path}. Nothing was stored; say where the file is, "
                "as a path or a URL."
            )
        return self.samples[lake_path]


def _many(source: str) -> list[Path] | None:
    """The files of a folder or a glob; None for any other source."""
    is_named = source in (SAMPLE, STANDARD_INPUT) or is_url(source)
    return None if is_named else files_of(_path(source))


@contextmanager
def _existing_file(source: str) -> Iterator[tuple[Path, str]]:
    """The file at a path, and its name; what a pipe gives is put into a temporary file.

    Raises InvalidInput where there is no file.
    """
    if source == STANDARD_INPUT:
        with _drained(sys.stdin.buffer, "standard input") as drained:
            yield drained, "standard input"
        return
    path = _path(source)
    name = printable(str(path))
    if path.is_fifo() or path.is_char_device():
        try:
            with path.open("rb") as pipe, _drained(pipe, name) as drained:
                yield drained, name
        except OSError as error:
            raise InvalidInput(
                f"cannot read {name}: {error.strerror or error}. Nothing was stored."
            ) from error
        return
    if not path.is_file():
        raise InvalidInput(f"the file {name} does not exist. Nothing was stored; correct the path.")
    yield path, name


def _path(source: str) -> Path:
    """The absolute path of a source that is no http address. Raises InvalidInput for none."""
    scheme, has_scheme, _ = source.partition("://")
    try:
        if scheme.lower() == "file" or source.lower().startswith("file:/"):
            source = unquote(urlsplit(source).path)
        elif has_scheme:
            raise InvalidInput(
                f"{printable(public_url(source))}: {printable(scheme)}:// is not supported. "
                "Nothing was stored; use a path, or an http:// or https:// address."
            )
        if "\0" in source:
            raise ValueError("it has a NUL character")
        return Path(source).expanduser().absolute()
    except (ValueError, RuntimeError) as error:  # RuntimeError: ~user of nobody
        raise InvalidInput(
            f"{printable(source)} is no path: {error}. Nothing was stored; correct the path."
        ) from None


@contextmanager
def _drained(pipe: IO[bytes], name: str) -> Iterator[Path]:
    """A temporary file with all that a pipe gives."""
    with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
        path = Path(folder) / "piped.csv"
        with path.open("wb") as file:
            shutil.copyfileobj(pipe, file)
        if not path.stat().st_size:
            raise InvalidInput(f"{name} gave no data. Nothing was stored.")
        yield path
