"""Rows that COPY INTO could not load: counted against MAXERRORS, and kept where ERRORFILE says."""

from __future__ import annotations

import datetime
import os
import uuid
from pathlib import Path

from bikecast.embedded.sql_pool.copy.files import PATH_ERROR
from bikecast.embedded.sql_pool.errors import SqlError

CONVERSION_ERROR = 13812


def error_folder(location: str, lake_root: Path) -> Path | None:
    """The folder of ERRORFILE: file:///path, or a path from the root of the lake.

    Raises SqlError for a folder outside of the lake.
    """
    if not location:
        return None
    root = lake_root.resolve()
    path = Path(location.removeprefix("file://"))
    if not location.startswith("file://"):
        path = root / location.lstrip("/")
    if "://" in location.removeprefix("file://") or not path.resolve().is_relative_to(root):
        raise SqlError(PATH_ERROR, f"ERRORFILE '{location}' is not inside of the lake {root}.")
    return path


class RejectedRows:
    """The rejected rows of one COPY statement."""

    def __init__(self, max_errors: int, folder: Path | None) -> None:
        self._max_errors = max_errors
        self._folder = folder
        self._started = datetime.datetime.now(tz=datetime.UTC)
        self._rows: list[tuple[str, int, str, str]] = []

    def add(self, file: Path, row: int, text: str, reason: str) -> None:
        """Count a row; `text` is the record as the file has it.

        Raises SqlError with the row's reason for the first one over MAXERRORS.
        """
        self._rows.append((str(file), row, text, reason))
        if len(self._rows) <= self._max_errors:
            return
        self.write()
        if self._max_errors:
            reason = (
                f"Query aborted: the maximum reject threshold ({self._max_errors} rows) was "
                f"reached: {len(self._rows)} rows were rejected; the last one: {reason}"
            )
        raise SqlError(
            CONVERSION_ERROR,
            f"Bulk load data conversion error in the file '{file}', row {row}: {reason} "
            "No row was loaded.",
        )

    def write(self) -> None:
        """Write reasons and rows below ERRORFILE; each file is there as a whole or not at all."""
        if self._folder is None or not self._rows:
            return
        folder = self._folder / "_rejectedrows" / self._started.strftime("%Y%m%d-%H%M%S")
        folder.mkdir(parents=True, exist_ok=True)
        prefix = f"QID{os.getpid()}_1_{uuid.uuid4().hex}"
        reasons = "".join(f"{file}, row {row}: {reason}\n" for file, row, _, reason in self._rows)
        _write(folder / f"{prefix}.Error.Txt", reasons)
        _write(folder / f"{prefix}.Row.Txt", "".join(f"{text}\n" for _, _, text, _ in self._rows))


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="")
    partial.replace(path)
