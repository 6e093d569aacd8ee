"""The Azure AutoML job: what is asked for, and how its trials are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bikecast.core.spec import AZURE_ALGORITHMS
from resources.automl.port import TrainingRequest

if TYPE_CHECKING:
    from azure.ai.ml.automl import RegressionJob

#: Azure AutoML ends no experiment earlier than this.
SHORTEST_MINUTES = 15
#: A purpose of a column:
#: https://learn.microsoft.com/azure/machine-learning/v1/how-to-configure-auto-features
NUMERIC = "Numeric"
_NUMBERS = ("bigint", "int", "real", "float")


def regression_job(
    request: TrainingRequest, data: str, compute: str, *, folds: int
) -> RegressionJob:
    """The job of a request: the lab's settings, on a cluster or on serverless compute.

    `data` is the URI of a folder with an MLTable file. A single trial may take the whole time.
    """
    from azure.ai.ml import Input, automl

    spec, training = request.spec, request.spec.training
    job: RegressionJob = automl.regression(
        training_data=Input(type="mltable", path=data),
        target_column_name=spec.target.name,
        primary_metric=training.primary_metric,
        n_cross_validations=folds,
        experiment_name=training.experiment,
        name=request.job_id,
        display_name=request.job_id,
        tags={**request.tags, "model": spec.model_name},
    )
    job.compute = compute or None
    limit = _minutes(request.budget_seconds)
    job.set_limits(
        timeout_minutes=limit,
        trial_timeout_minutes=limit,
        max_concurrent_trials=training.max_concurrent_trials,
        max_nodes=training.max_concurrent_trials,
        max_trials=training.max_trials or None,
        enable_early_termination=True,
    )
    # A stack ensemble has no ONNX form.
    job.set_training(
        enable_onnx_compatible_models=training.onnx_compatible,
        enable_stack_ensemble=False,
        enable_vote_ensemble=True,
        allowed_training_algorithms=_in_azure(training.allowed_algorithms),
        blocked_training_algorithms=_in_azure(training.blocked_algorithms),
    )
    # AutoML takes whole numbers of few values for categories; those that are none say so.
    numbers = [c.name for c in spec.features if c.sql_type in _NUMBERS and not c.codes]
    if numbers:
        job.set_featurization(mode="Custom", column_name_and_types=dict.fromkeys(numbers, NUMERIC))
    return job


def leaderboard(children: Iterable[Any], *, less_is_better: bool) -> list[dict[str, object]]:
    """One row a trial that has a finite score, best first."""
    rows: list[dict[str, object]] = []
    for child in children:
        properties = child.properties or {}
        score = _number(properties.get("score"))
        if score is None:
            continue
        parts = (properties.get("run_preprocessor"), properties.get("run_algorithm"))
        rows.append(
            {
                "trial": ", ".join(part for part in parts if part) or child.display_name,
                "score": score,
                "status": str(child.status),
                "job_id": child.name,
            }
        )
    return sorted(rows, key=lambda row: float(str(row["score"])), reverse=not less_is_better)


def best_child(job: Any, rows: list[dict[str, object]]) -> tuple[str | None, str]:
    """Id of the best trial and how it was found: by the job's tag, its property, or the scores."""
    for place, values, name in (
        ("tag", job.tags, "automl_best_child_run_id"),
        ("property", job.properties, "best_child_run_id"),
    ):
        if (values or {}).get(name):
            return str(values[name]), place
    return (str(rows[0]["job_id"]), "score") if rows else (None, "nothing")


def _in_azure(algorithms: Sequence[str]) -> list[str] | None:
    """Those of the algorithms that Azure ML has; None for none, which it takes for no limit."""
    return [name for name in algorithms if name in AZURE_ALGORITHMS] or None


def _minutes(seconds: float) -> int:
    """Whole minutes of a budget, at least what Azure AutoML takes."""
    return max(SHORTEST_MINUTES, math.ceil(seconds / 60))


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
