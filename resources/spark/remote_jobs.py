"""Jobs of this project on a remote Spark: code and job file up, outcome or error back."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import temporary_file
from bikecast.core.jobs import JobStatus
from resources.lake.adls import AdlsLake
from resources.spark.shipping import Code

FOLDER = "jobs/spark"


@dataclass(frozen=True)
class RemoteJobs(ABC):
    """The jobs of one Spark by name; each name is submitted once, whoever asks."""

    lake: AdlsLake
    lost: ClassVar[str]
    """Why a job ended that the service does not know any more."""

    def start(self, name: str, code: Code, job: dict[str, Any], paths: Sequence[str]) -> JobStatus:
        """Submit a job of this name.

        Its arguments are the URLs of the file with `job`, of `paths`, and of its result.
        """
        self._write(f"{FOLDER}/{name}/job.json", json.dumps(job).encode())
        arguments = [f"{FOLDER}/{name}/job.json", *paths, f"{FOLDER}/{name}/result"]
        return self._submitted(name, code, [self.lake.url(path) for path in arguments])

    @abstractmethod
    def status(self, name: str) -> JobStatus:
        """Poll a job; an unknown name is NotFound. One over its limit is canceled.

        Raises BikecastError where the service refuses.
        """

    def cancel(self, name: str) -> JobStatus:
        """Ask the service to end a job, unless it has ended; its end counts as reported.

        Raises BikecastError where the service refuses.
        """
        with self.refused():
            status = self.status(name)
            if not status.state.is_terminal:
                status = self._canceled(name)
                self._write(_reported(name), b"told\n")
            return status

    def outcome(self, name: str) -> dict[str, Any]:
        """What the job of a name wrote at its end; BikecastError where it wrote nothing."""
        from deltalake.exceptions import TableNotFoundError

        from resources.lake.tables import read_rows

        try:
            [row] = read_rows(self.lake, f"{FOLDER}/{name}/result", limit=1)
        except TableNotFoundError as error:
            raise BikecastError(f"Spark batch {name} left no result in the lake") from error
        return dict(json.loads(str(row["outcome"])))

    def raise_once(self, name: str, table: str) -> None:
        """Raise the error of a failed job, unless an earlier call did."""
        if self.lake.stat(_reported(name)) is None:
            self.raise_failed(name, table)

    def raise_failed(self, name: str, table: str) -> None:
        """Raise the error of a job that failed, was canceled or is lost."""
        status = self.status(name)
        self.show_log(name)
        try:
            reason = str(self.outcome(name)["error"])
        except BikecastError:
            reason = ""
        self._write(_reported(name), b"told\n")
        error_class = InvalidInput if reason else BikecastError
        why = reason or status.error or self.lost
        see = f" See {status.link}" if status.link else ""
        raise error_class(
            f"Spark batch {name} is {status.state}: {why}. {table} is unchanged; run again for "
            f"the next attempt.{see}"
        )

    @abstractmethod
    def show_log(self, name: str) -> None:
        """Log what the driver of a job printed, as far as the service keeps it; raises nothing."""

    @abstractmethod
    def refused(self, table: str = "") -> AbstractContextManager[None]:
        """Raise BikecastError for any error of an Azure client inside; `table` is unchanged."""

    @abstractmethod
    def _submitted(self, name: str, code: Code, arguments: Sequence[str]) -> JobStatus:
        """Start a job, or attach to the one of that name."""

    @abstractmethod
    def _canceled(self, name: str) -> JobStatus:
        """Ask the service to end a job that has not ended."""

    def _write(self, path: str, content: bytes) -> None:
        with temporary_file(content) as file:
            self.lake.put(path, file)


def _reported(name: str) -> str:
    """The lake path of the mark that a job's failure was reported."""
    return f"{FOLDER}/{name}/told"
