"""From a build to the tables that people judge it by: all of them JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bikecast.core.spec import ModelSpec
from bikecast.embedded.automl.build import Built
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.honest import (
    group_means,
    intervals,
    lead,
    mean_baseline,
    score_table,
    segment_scores,
)
from bikecast.embedded.automl.importance import importances
from bikecast.embedded.automl.leakage import column_notes, leakage_signs
from bikecast.embedded.automl.scores import scores

#: The product's name in the table of scores.
OURS = "chosen model"


@dataclass(frozen=True)
class Evaluation:
    """What a job says of its model beside the leaderboard; the keys of its diagnostics."""

    honest_scores: list[dict[str, object]]
    intervals: dict[str, dict[str, list[float]]]
    permutation_importance: list[dict[str, object]]
    segments: list[dict[str, object]]
    leakage: list[dict[str, object]]
    column_findings: list[str]
    baseline_findings: list[str] = field(default_factory=list)


def evaluate(spec: ModelSpec, data: Dataset, built: Built) -> Evaluation:
    """All tables of a build; time-ordered scores first, then holdout, then cross-validation."""
    seed, target = spec.training.seed, data.target
    mean_name, groups = mean_baseline(spec, data)
    splits: list[tuple[str, int, Mapping[str, Mapping[str, float]]]] = []
    intervals_of = {}
    for split in ("time_ordered", "holdout"):
        if split not in built.splits:
            continue
        fit, rows = built.splits[split]
        ordered = split == "time_ordered"
        predicted = built.predicted[split]
        intervals_of[split] = intervals(target[rows], predicted, seed, ordered=ordered)
        models = {
            OURS: scores(target[rows], predicted),
            mean_name: scores(target[rows], group_means(groups, target, built.splits[split])),
        }
        if split in built.ridge:
            models["ridge"] = scores(target[rows], built.ridge[split])
        splits.append((split, len(fit), models))
    splits.append(
        ("cv", len(built.result.scored.repeats[0][0][0]), _cv(built, data, mean_name, groups))
    )
    return Evaluation(
        honest_scores=score_table(splits, intervals_of),
        intervals=intervals_of,
        permutation_importance=importances(
            spec.training.primary_metric,
            data,
            built.shuffle,
            built.predicted["holdout"],
            built.shuffled,
        ),
        segments=segment_scores(spec, data, built.holdout, built.predicted["holdout"]),
        leakage=leakage_signs(data, built.splits["holdout"]),
        column_findings=column_notes(data),
        baseline_findings=_unbeaten(spec, data, built, mean_name, groups),
    )


def _unbeaten(
    spec: ModelSpec, data: Dataset, built: Built, mean_name: str, groups: np.ndarray
) -> list[str]:
    """Baselines that the model does not beat beyond noise, on the time-ordered rows if any."""
    split = "time_ordered" if "time_ordered" in built.splits else "holdout"
    fit, rows = built.splits[split]
    baselines = {mean_name: group_means(groups, data.target, (fit, rows))}
    if split in built.ridge:
        baselines["ridge on one-hot codes"] = built.ridge[split]
    metric, target, predicted = spec.training.primary_metric, data.target[rows], built.predicted
    findings = []
    for name, baseline in baselines.items():
        low, high = lead(
            *(metric, target, predicted[split], baseline, spec.training.seed),
            ordered=split == "time_ordered",
        )
        if low <= 0:
            findings.append(
                f"the model does not beat the baseline {name} beyond noise on {split}: the "
                f"difference in {metric} is {low:+.4f} to {high:+.4f} (95% interval); the baseline "
                "may be enough"
            )
    return findings


def _cv(
    built: Built, data: Dataset, mean_name: str, groups: np.ndarray
) -> dict[str, Mapping[str, float]]:
    """Cross-validation of the recipe and, on the first repeat's folds, of the baselines."""
    folds = built.result.scored
    means = [group_means(groups, data.target, split) for split in folds.repeats[0]]
    models: dict[str, Mapping[str, float]] = {
        OURS: built.result.cv,
        mean_name: folds.summary(data.target, {0: means}),
    }
    if built.ridge_folds:
        models["ridge"] = folds.summary(data.target, {0: built.ridge_folds})
    return models
