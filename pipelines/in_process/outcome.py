"""What the main job made, as it is stored now; read without Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assets.model_tags import SCORE_KINDS
from bikecast.core.errors import BikecastError
from bikecast.core.spec import ModelSpec
from bikecast.core.training import TrainingResult
from resources.registry.port import ModelVersion

if TYPE_CHECKING:
    from pipelines.environments import Resources

#: Predictions that a run hands over; there may be millions.
MOST_PREDICTIONS = 1000


@dataclass
class Record:
    """What the runs of one main job have told so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    metadata: dict[str, dict[str, object]] = field(default_factory=dict)
    run_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What the main job made: predictions in row order, the models, the training, the times.

    `predictions` has the first MOST_PREDICTIONS of the `prediction_rows` that were stored.
    `model` is the live version that made the predictions, `training` what its training left, or
    None where that is gone. `candidate` is the version of this run's training, and `decision` says
    why it is live or not. `seconds` has the stages, the `rest` (start, checks, Dagster) and their
    sum, the `total`.
    """

    predictions: list[dict[str, object]]
    prediction_rows: int
    model: ModelVersion
    training: TrainingResult | None
    candidate: ModelVersion
    candidate_training: TrainingResult
    decision: str
    trained: bool
    seconds: Mapping[str, float]
    warnings: list[str]
    run_ids: list[str]

    @property
    def leaderboard(self) -> list[dict[str, object]]:
        """The trials of `model`, best first; empty where its training is gone."""
        return self.training.leaderboard if self.training else []

    @property
    def scores(self) -> Mapping[str, Mapping[str, float] | None]:
        """The scores of `model` by kind; from the registry where its training is gone."""
        if self.training is not None:
            return self.training.scores
        flat = self.model.scores.items()
        return {
            split: {k.removeprefix(f"{split}_"): v for k, v in flat if k.startswith(f"{split}_")}
            or None
            for split in SCORE_KINDS
        }


def outcome_of(
    spec: ModelSpec, resources: Resources, record: Record, job_id: str, *, trained: bool
) -> Outcome:
    """The outcome of runs that told this record."""
    from resources.sql_pool.deployment import saved_predictions

    promotion = record.metadata[f"{spec.model_table}_table"]
    versions = {entry.version: entry for entry in resources.registry.versions(spec.model_name)}
    model = versions[int(str(promotion["version"]))]
    candidate_training = resources.automl.result(job_id)
    training: TrainingResult | None = candidate_training
    if model.job_id != job_id:
        try:
            training = resources.automl.result(model.job_id)
        except BikecastError:  # an old job's folder may be gone; the model needs it no more
            training = None
    predictions = saved_predictions(resources.sql_pool, spec, limit=MOST_PREDICTIONS)
    scored = record.metadata.get(spec.predictions_table, {})
    return Outcome(
        predictions=predictions,
        prediction_rows=int(str(scored.get("dagster/row_count", len(predictions)))),
        model=model,
        training=training,
        candidate=versions[int(str(promotion["candidate"]))],
        candidate_training=candidate_training,
        decision=str(promotion["reason"]),
        trained=trained,
        seconds=record.seconds,
        warnings=record.warnings,
        run_ids=record.run_ids,
    )
