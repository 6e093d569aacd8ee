"""What a completed training leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class TrainingResult:
    """What a completed job leaves behind.

    `leaderboard` has one dict a trial, best first. `scores` has the keys `cv`, `holdout` and
    `time_ordered` (the last is None where the spec has no time key), each a dict of
    `spearman`, `rmse`, `r2` and `rows`. `plots` maps a title to a PNG file. A model card,
    `model-card.md`, lies beside the model where the adapter writes one.

    `diagnostics` holds the tables behind the plots and other JSON facts. Lists of dicts, one a
    row: `honest_scores` (time-ordered first, each kind with its naive baselines and row counts),
    `permutation_importance`, `segments`, `leakage` (`finding`, `column`, `text`), `holdout`. Also
    `intervals` (kind -> score -> [low, high], 95% bootstrap), `column_findings` (texts),
    `residuals`, `members`, `parity`, `seconds`. A key may be missing: an adapter says what it can.
    """

    job_id: str
    model_path: Path
    digest: str
    """SHA-256 of the ONNX file, in hex."""
    leaderboard: list[dict[str, object]]
    scores: dict[str, dict[str, float] | None]
    plots: dict[str, Path]
    warnings: tuple[str, ...] = ()
    diagnostics: Mapping[str, object] = field(default_factory=dict)

    def leaders(self, most: int) -> list[dict[str, object]]:
        """The best trials, without those that have no score: skipped or failed ones."""
        return [row for row in self.leaderboard if row.get("score") is not None][:most]
