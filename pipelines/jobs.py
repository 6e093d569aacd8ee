"""The jobs of a model: everything, training, finishing a training job, and scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from assets.by_day import daily_asset_names
from assets.rescored import rescored_name
from bikecast.core.spec import ModelSpec

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition as AssetJob,
    )

#: A run is tried again only if its worker dies, not if a step fails; a rollback not even then,
#: because twice is not the same as once.
_NO_RUN_RETRY = {"dagster/max_retries": "0"}


#: Marks the runs that change the live model and score nothing.
ROLLBACK_TAG = "bikecast/rollback"
#: Ends of the jobs' names; `ModelSpec.named` puts the model's prefix before them.
TRAIN, FINISH_TRAINING, SCORE = "train", "finish_training", "score"
ROLLBACK, RESCORE, CANCEL_TRAINING = "rollback", "rescore", "cancel_training"


@dataclass(frozen=True)
class ModelJobs:
    """The jobs of one model."""

    spec: ModelSpec
    everything: AssetJob
    train: AssetJob
    finish_training: AssetJob
    score: AssetJob
    rollback: AssetJob
    rescore: AssetJob | None
    """None where neither days nor rows can be scored again."""

    @property
    def by_row(self) -> bool:
        """Whether rows are scored again by number: a spec without days."""
        return self.rescore is not None and self.spec.first_day is None

    def all(self) -> list[AssetJob]:
        """The jobs as a list."""
        jobs = [self.everything, self.train, self.finish_training, self.score, self.rollback]
        return jobs if self.rescore is None else [*jobs, self.rescore]


def range_tags(first: str, last: str) -> dict[str, str]:
    """Tags of a run over the daily partitions of a range, both days included."""
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }


def rescore_config(spec: ModelSpec, version: int | None) -> dict[str, object]:
    """Run config of the job `rescore`; None for the live version."""
    name = f"{spec.predictions_table}_by_day"
    return {"ops": {name: {"config": {"model_version": version}}}} if version else {}


def rescore_rows_config(
    spec: ModelSpec, first: int, last: int, version: int | None
) -> dict[str, object]:
    """Run config of the job `rescore` of a spec without days; None for the live version."""
    config = {"first": first, "last": last} | ({"model_version": version} if version else {})
    return {"ops": {rescored_name(spec): {"config": config}}}


def rollback_config(spec: ModelSpec, version: int | None) -> dict[str, object]:
    """Run config of the rollback job; None for the version that was live before."""
    config: dict[str, object] = {"rollback": True}
    if version is not None:
        config["version"] = version
    return {"ops": {f"{spec.model_table}_table": {"config": config}}}


def model_jobs(spec: ModelSpec, *, rescored: bool = False) -> ModelJobs:
    """The jobs of a spec; the main one has the model's short name. `rescored`: a spec without days
    has a job that scores its rows again by number."""
    training_run = dg.AssetSelection.assets(spec.run_asset)
    predictions = dg.AssetSelection.assets(spec.predictions_table)
    scoring_table = dg.AssetSelection.assets(spec.scoring_table)
    model = dg.AssetSelection.assets(spec.model_table)
    again = daily_asset_names(spec) or ([rescored_name(spec)] if rescored else [])
    everything = training_run.upstream() | predictions.upstream()
    return ModelJobs(
        spec=spec,
        everything=dg.define_asset_job(
            spec.name,
            everything,
            description="The main job: from the CSV files to the predictions. It ends at the "
            "submitted training job; the sensor carries on from there.",
        ),
        train=dg.define_asset_job(
            spec.named(TRAIN),
            training_run.upstream(),
            description="From the training CSV to a submitted training job.",
        ),
        finish_training=dg.define_asset_job(
            spec.named(FINISH_TRAINING),
            model.downstream() - dg.AssetSelection.assets(*again),
            description="From an ended training job to predictions with its model.",
        ),
        score=dg.define_asset_job(
            spec.named(SCORE),
            scoring_table.upstream() | predictions,
            description="Load the scoring CSV again and score it with the live model.",
        ),
        rollback=dg.define_asset_job(
            spec.named(ROLLBACK),
            dg.AssetSelection.assets(f"{spec.model_table}_table"),
            config=rollback_config(spec, None),
            tags={**_NO_RUN_RETRY, ROLLBACK_TAG: "yes"},
            description="Make the version live that was live before, or the one in the config "
            "(`version`). The next scoring uses it, and it stays until a newer version wins.",
        ),
        rescore=dg.define_asset_job(
            spec.named(RESCORE),
            dg.AssetSelection.assets(*again),
            description="Score days again: the forecast file's rows are taken over by day, and the "
            "days of the range are scored by the live version or the one in the config."
            if spec.first_day
            else "Score rows again by number: by the live version or the one in the config.",
        )
        if again
        else None,
    )
