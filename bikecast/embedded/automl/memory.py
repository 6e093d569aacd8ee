"""Recorded trials: what a killed job had finished, its next attempt need not do again.

A folder of .npz files, one a trial and repeat. The name is a hash of all that decides the outcome
(data, configuration, split, seed), so a record is never taken for another one.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from bikecast.core.errors import BikecastError
from bikecast.core.files import replaced_file
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.workers import Outcome, Task

log = logging.getLogger("bikecast.automl")


@dataclass(frozen=True)
class TrialMemory:
    """The records of one job's attempts."""

    folder: Path
    fingerprint: str

    @classmethod
    def open(cls, folder: Path, data: Dataset) -> TrialMemory:
        """The records in a folder that belong to these rows."""
        return cls(folder, fingerprint(data))

    def recall(self, task: Task) -> Outcome | None:
        """The recorded outcome of a task, or None; a damaged record counts as none."""
        try:
            with np.load(self._path(task), allow_pickle=False) as stored:
                seconds = float(stored["seconds"])
                predictions = [stored[f"p{n}"] for n in range(len(task.splits))]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return Outcome(task, seconds, predictions)

    def record(self, outcome: Outcome) -> None:
        """Keep a successful outcome. A full disk costs only the record."""
        if outcome.error:
            return
        arrays = {f"p{number}": array for number, array in enumerate(outcome.predictions)}
        try:
            with replaced_file(self._path(outcome.task)) as path, path.open("wb") as file:
                np.savez(file, seconds=np.array(outcome.seconds), **arrays)  # type: ignore[arg-type]
        except BikecastError as error:
            log.warning("a trial could not be recorded: %s", error)

    def forget(self) -> None:
        """Remove all records: the job is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, task: Task) -> Path:
        digest = hashlib.sha256(self.fingerprint.encode())
        digest.update(repr((task.configuration, task.seed)).encode())
        for fit_rows, predict_rows in task.splits:
            digest.update(np.ascontiguousarray(fit_rows).tobytes())
            digest.update(np.ascontiguousarray(predict_rows).tobytes())
        return self.folder / f"{digest.hexdigest()[:32]}.npz"


def fingerprint(data: Dataset) -> str:
    """SHA-256 of columns, values and target, in hex."""
    digest = hashlib.sha256(repr(data.columns).encode())
    for column in data.columns:
        array = data.values[column.name]
        if array.dtype == object:
            digest.update(repr(array.tolist()).encode())
        else:
            digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(np.ascontiguousarray(data.target).tobytes())
    return digest.hexdigest()
