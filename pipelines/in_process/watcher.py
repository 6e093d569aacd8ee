"""Who hears how a job of a command goes on."""

from __future__ import annotations

from typing import Protocol

from bikecast.core.jobs import JobStatus


class Watcher(Protocol):
    """Hears how the main job goes on; the command line shows it."""

    def stage_started(self, stage: str) -> None:
        """An asset's step began."""

    def stage_ended(self, stage: str, seconds: float, note: str) -> None:
        """An asset was materialized, or the training job ended."""

    def training(self, status: JobStatus) -> None:
        """The training job was polled."""

    def warning(self, text: str) -> None:
        """A warning or a failed check of a step."""
