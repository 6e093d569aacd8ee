"""The registry's port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bikecast.core.errors import InvalidInput


@dataclass(frozen=True)
class ModelVersion:
    """One registered version; versions count from 1."""

    name: str
    version: int
    job_id: str
    digest: str
    """SHA-256 of the ONNX file, in hex."""
    created_at: datetime
    """Aware, UTC."""
    scores: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    link: str = ""
    aliases: tuple[str, ...] = ()


#: Tags by which an adapter keeps what is ours of a version.
OWN = "bikecast."
JOB_ID, DIGEST, SCORES = f"{OWN}job_id", f"{OWN}digest", f"{OWN}scores"


def no_own_tags(tags: Mapping[str, str]) -> None:
    """Raise InvalidInput for a tag such as an adapter makes: it could name the live version."""
    if reserved := sorted(tag for tag in tags if tag.startswith(OWN)):
        raise InvalidInput(f"the tags {reserved} are reserved; nothing was registered")


def numbered(versions: Sequence[ModelVersion], name: str, number: int) -> ModelVersion:
    """The version of that number.

    Raises InvalidInput where there is none.
    """
    for entry in versions:
        if entry.version == number:
            return entry
    numbers = ", ".join(str(entry.version) for entry in versions) or "none"
    raise InvalidInput(f"{name} has no version {number}; known versions: {numbers}")


class Registry(Protocol):
    """Versions of models. Registration is idempotent by job id."""

    def register(
        self,
        name: str,
        model_path: Path,
        *,
        job_id: str,
        digest: str,
        scores: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> ModelVersion:
        """Register the model of a job, or return the version that this job already made.

        Raises ModelRejected where the file does not match its digest, and InvalidInput for a tag
        that begins with `bikecast.`.
        """
        ...

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions, newest first; empty where the model is unknown."""
        ...

    def download(self, name: str, version: int) -> bytes:
        """The ONNX file of a version.

        Raises ModelRejected where the stored file no longer matches its digest.
        """
        ...

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias such as `champion` at a version."""
        ...
