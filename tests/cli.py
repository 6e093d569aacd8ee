"""The command line as its users start it: a process of its own, with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
LAB_DATA = PROJECT / ".." / "shared" / "data"
LAB_TRAINING = LAB_DATA / "bike-rentals-training.csv"
LAB_FORECAST = LAB_DATA / "weather-forecast.csv"
LAB_REASON = "the lab's files are not beside the project; `bikecast fetch-lab-data` gets them"
#: A guard against a hang, for a machine with dozens of busy processes.
HANG_SECONDS = 1800.0


@dataclass(frozen=True)
class Cli:
    """`bikecast` on one home."""

    home: Path
    trials: int = 0
    """BIKECAST_MAX_TRIALS of its commands; 0 for the whole plan."""
    project: Path = PROJECT
    """The checkout whose command line it is."""

    @property
    def environment(self) -> dict[str, str]:
        """The caller's environment without its own bikecast settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BIKECAST_", "DAGSTER_"))}
        trials = {"BIKECAST_MAX_TRIALS": str(self.trials)}
        return {**kept, **trials, "BIKECAST_HOME": str(self.home), "COLUMNS": "160"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and return its process, with both outputs as pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "bikecast", *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, *arguments: str, timeout: float = HANG_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=timeout)
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)
