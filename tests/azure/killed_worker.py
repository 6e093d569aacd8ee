"""A worker that a test kills: it does one thing in the azure environment of its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.bike_rentals import BIKE_RENTALS
from resources.spark.port import Preparation
from tests.azure.workspace import automl, power, spark, training_request

WORKS = {
    "training": lambda folder: automl(folder).submit(training_request("job-1")),
    "spark": lambda _: spark().prepare(
        Preparation(BIKE_RENTALS, BIKE_RENTALS.source_file, BIKE_RENTALS.training_table_path)
    ),
    "lease": lambda _: power().acquire("run-1"),
}


@contextmanager
def worker(work: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does a work; it is gone when this ends."""
    command = [sys.executable, "-m", "tests.azure.killed_worker", work, str(folder)]
    project = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=project, env=dict(os.environ)) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    WORKS[sys.argv[1]](Path(sys.argv[2]))
