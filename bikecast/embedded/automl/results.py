"""The result folder: written aside, shown by one rename, read back as a TrainingResult.

model.onnx  model-card.md  leaderboard.json  leaderboard.csv  scores.json  diagnostics.json
result.json
*.png       the plots; result.json maps their titles to files
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bikecast.core.errors import BikecastError
from bikecast.core.onnx.contract import model_digest
from bikecast.core.training import TrainingResult
from bikecast.embedded.automl.leaderboard import write_csv


@dataclass(frozen=True)
class Draft:
    """A result that is not shown yet."""

    folder: Path
    target: Path

    @classmethod
    def begin(cls, target: Path) -> Draft:
        """An empty folder beside `target`; drafts of dead processes are removed."""
        for old in target.parent.glob(".result.*.draft"):
            shutil.rmtree(old, ignore_errors=True)
        folder = target.parent / f".result.{os.getpid()}.draft"
        folder.mkdir()
        return cls(folder, target)

    def write_json(self, name: str, data: object) -> None:
        """One JSON file; NaN is refused."""
        (self.folder / name).write_text(json.dumps(data, indent=1, allow_nan=False))

    def write(
        self,
        model: bytes,
        rows: Sequence[Mapping[str, object]],
        scores: Mapping[str, object],
        diagnostics: Mapping[str, object],
        plots: Mapping[str, str],
        warnings: Sequence[str],
    ) -> None:
        """All files but the plots; `plots` maps titles to the names of files in the folder."""
        (self.folder / "model.onnx").write_bytes(model)
        write_csv(self.folder / "leaderboard.csv", rows)
        self.write_json("leaderboard.json", list(rows))
        self.write_json("scores.json", dict(scores))
        self.write_json("diagnostics.json", dict(diagnostics))
        facts = {"digest": model_digest(model), "plots": dict(plots), "warnings": list(warnings)}
        self.write_json("result.json", facts)

    def add_warning(self, text: str) -> None:
        """One more warning, found after the files were written."""
        facts = json.loads((self.folder / "result.json").read_text())
        facts["warnings"].append(text)
        self.write_json("result.json", facts)

    def write_seconds(self, seconds: Mapping[str, float]) -> None:
        """The seconds of all phases, in place of those until the files were written."""
        path = self.folder / "diagnostics.json"
        diagnostics = json.loads(path.read_text())
        card = self.folder / "model-card.md"
        text = card.read_text(encoding="utf-8")
        before, after = (f"- seconds: {phases}\n" for phases in (diagnostics["seconds"], seconds))
        card.write_text(text.replace(before, after), encoding="utf-8")
        self.write_json(path.name, {**diagnostics, "seconds": dict(seconds)})

    def files(self) -> dict[str, Path]:
        """The files by name."""
        return {path.name: path for path in sorted(self.folder.iterdir())}

    def show(self) -> None:
        """Flush the files to disk and rename the folder: the result is there, complete."""
        for path in self.folder.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        self.folder.rename(self.target)


def read_result(job_id: str, folder: Path) -> TrainingResult:
    """The result of a completed job.

    Raises BikecastError where a file is missing or the model does not match its digest.
    """
    try:
        facts: dict[str, Any] = _json(folder / "result.json")
        model = (folder / "model.onnx").read_bytes()
        leaderboard = _json(folder / "leaderboard.json")
        scores = _json(folder / "scores.json")
        diagnostics = _json(folder / "diagnostics.json")
    except (OSError, ValueError) as error:
        raise BikecastError(f"the result of {job_id} in {folder} is damaged: {error}") from error
    if model_digest(model) != facts["digest"]:
        raise BikecastError(
            f"{folder / 'model.onnx'} was changed after training: it does not match its digest. "
            "Nothing was registered. Train again with --retrain."
        )
    return TrainingResult(
        job_id=job_id,
        model_path=folder / "model.onnx",
        digest=facts["digest"],
        leaderboard=leaderboard,
        scores=scores,
        plots={title: folder / name for title, name in facts["plots"].items()},
        warnings=tuple(facts["warnings"]),
        diagnostics=diagnostics,
    )


def _json(path: Path) -> Any:
    return json.loads(path.read_text())
