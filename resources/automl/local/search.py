"""The search: race the portfolio over repeated folds, then choose the ensemble."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from resources.automl.local.data import Dataset
from resources.automl.local.ensemble import Recipe, choose
from resources.automl.local.folds import Folds
from resources.automl.local.importance import Shuffle
from resources.automl.local.memory import TrialMemory
from resources.automl.local.portfolio import Configuration, portfolio_for
from resources.automl.local.scores import r2, rmse
from resources.automl.local.workers import Outcome, Task, WorkerPool
from resources.spec import TrainingSettings

#: A configuration that trails the best by this after the first repeat gets no second one.
RACE_MARGIN = 0.012
#: A trial may take this share of the time that its repeat has; longer ones are killed.
TRIAL_SHARE = 0.4


@dataclass
class Trial:
    """One configuration's way through the race. `status`: pending, ok, raced, failed, skipped."""

    configuration: Configuration
    status: str = "pending"
    predictions: dict[int, list[np.ndarray]] = field(default_factory=dict)
    seconds: float = 0.0
    mean: float = float("nan")
    deviation: float = float("nan")
    rmse: float = float("nan")
    r2: float = float("nan")
    error: str = ""

    @property
    def seconds_a_fit(self) -> float:
        """Mean seconds of one fit; only for a trial that has predictions."""
        return self.seconds / sum(len(folds) for folds in self.predictions.values())


@dataclass(frozen=True)
class SearchResult:
    """All trials in portfolio order, the recipe, its inner scores, and what people should know.

    `score` and `deviation` are the primary metric of the recipe over the folds.
    """

    trials: list[Trial]
    recipe: Recipe
    cv: dict[str, float]
    score: float
    deviation: float
    warnings: list[str]
    folds: Folds


Report = Callable[[list[Trial]], None]


def nothing(_: object) -> None:
    """Ignore a report."""


class NoModelError(Exception):
    """Every trial failed; the text has their errors."""


def search(
    data: Dataset,
    rows: np.ndarray,
    pool: WorkerPool,
    settings: TrainingSettings,
    *,
    deadline: Callable[[list[Trial]], float],
    report: Report = nothing,
    memory: TrialMemory | None = None,
) -> SearchResult:
    """Race the portfolio on `rows` and choose a recipe.

    `deadline` tells, from the trials so far, the time.monotonic() value at which to stop; at
    least one trial is tried to its end even then. All first repeats are scored before second
    ones begin, so that which configurations go on does not depend on timing. What `memory` has
    is not trained again.
    Raises NoModelError where no trial succeeds, InvalidInput where no algorithm is allowed.
    """
    seed, metric = settings.seed, settings.primary_metric
    folds = Folds.make(rows, seed)
    trials = [Trial(c) for c in portfolio_for(data.target[rows], len(rows), settings)]
    by_name = {trial.configuration.name: trial for trial in trials}

    def race(repeat: int, racing: list[Trial], limit: float) -> None:
        tasks = [
            Task((t.configuration.name,), t.configuration, folds.repeats[repeat], seed)
            for t in racing
        ]

        def take(outcome: Outcome) -> None:
            trial = by_name[outcome.task.key[0]]
            _record(trial, repeat, outcome, folds, metric, data.target)
            report(trials)

        recalled = {t.key: memory.recall(t) for t in tasks} if memory is not None else {}
        for known in recalled.values():
            if known is not None:
                take(known)
        share = TRIAL_SHARE * max(0.0, limit - time.monotonic())
        rest = [task for task in tasks if recalled.get(task.key) is None]
        for outcome in pool.run(rest, deadline=limit, task_seconds=share):
            if memory is not None:
                memory.record(outcome)
            take(outcome)

    race(0, trials, deadline(trials))
    if not any(trial.status == "ok" for trial in trials):
        stopped = [t for t in trials if t.status == "pending" or "out of time" in t.error]
        for trial in stopped[:3]:  # whatever the time: a job without a model is worth nothing
            race(0, [trial], float("inf"))
            if trial.status == "ok":
                break
    for trial in trials:
        if trial.status == "pending" or "out of time" in trial.error:
            trial.status = "skipped"
    good = [trial for trial in trials if trial.status == "ok"]
    if not good:
        raise NoModelError("; ".join(f"{t.configuration.name}: {t.error}" for t in trials[:5]))
    best = max(trial.mean for trial in good)
    finalists = [trial for trial in good if trial.mean >= best - RACE_MARGIN]
    if len(folds.repeats) > 1:
        race(1, finalists, deadline(trials))
    candidates = _same_repeats(finalists)
    for trial in good:
        if trial not in candidates and trial.status == "ok":
            trial.status = "raced"
    chosen = [(trial.configuration, trial.predictions) for trial in candidates]
    recipe = choose(chosen, folds, metric, data.target, prefer_simple=settings.prefer_simple)
    return search_result(trials, recipe, folds, metric, data.target)


def search_result(
    trials: list[Trial], recipe: Recipe, folds: Folds, metric: str, target: np.ndarray
) -> SearchResult:
    """The result with a recipe's own inner scores."""
    blended = _blend(recipe, [trial for trial in trials if recipe.weight(trial.configuration.name)])
    values = folds.scores(metric, target, blended)
    return SearchResult(
        trials,
        recipe,
        folds.summary(target, blended),
        float(values.mean()),
        float(values.std()),
        _warnings(trials),
        folds,
    )


def refit(
    recipe: Recipe,
    splits: dict[str, tuple[np.ndarray, np.ndarray]],
    pool: WorkerPool,
    *,
    seed: int,
    deadline: float = float("inf"),
    keep: str = "",
    shuffles: Mapping[str, Shuffle] | None = None,
) -> dict[str, dict[str, Outcome]]:
    """Fit each member on each split: split -> member -> outcome, failed or late ones left out.

    Outcomes of the split called `keep` carry their fitted model, those of a split in `shuffles`
    the predictions of the shuffled rows. Members come by weight, each
    with all its splits, so that a deadline leaves the most important ones complete.
    """
    wanted = shuffles or {}
    tasks = [
        Task((name, member.name), member, [split], seed, name == keep, wanted.get(name))
        for member, _ in sorted(recipe.members, key=lambda entry: -entry[1])
        for name, split in splits.items()
    ]
    done: dict[str, dict[str, Outcome]] = {name: {} for name in splits}
    for outcome in pool.run(tasks, deadline=deadline):
        if not outcome.error:
            name, member = outcome.task.key
            done[name][member] = outcome
    return done


def _record(
    trial: Trial, repeat: int, outcome: Outcome, folds: Folds, metric: str, target: np.ndarray
) -> None:
    trial.seconds += outcome.seconds
    if outcome.error:
        if repeat == 0 or "out of time" not in outcome.error:
            trial.status, trial.error = "failed", outcome.error
        return
    trial.predictions[repeat] = outcome.predictions
    values = folds.scores(metric, target, trial.predictions)
    predicted = folds.out_of_fold(trial.predictions)
    trial.status, trial.error = "ok", ""
    trial.mean, trial.deviation = float(values.mean()), float(values.std())
    trial.rmse, trial.r2 = rmse(target[folds.rows], predicted), r2(target[folds.rows], predicted)


def _same_repeats(finalists: list[Trial]) -> list[Trial]:
    """Finalists that can be compared: all on two repeats, or else all on the first."""
    alive = [trial for trial in finalists if trial.status == "ok"] or finalists
    if all(len(trial.predictions) > 1 for trial in alive):
        return alive
    for trial in alive:
        trial.predictions = {0: trial.predictions[0]}
    return alive


def _blend(recipe: Recipe, trials: list[Trial]) -> dict[int, list[np.ndarray]]:
    """The recipe's out-of-fold predictions, repeat -> predictions a fold."""
    by_name = {trial.configuration.name: trial.predictions for trial in trials}
    repeats = by_name[recipe.members[0][0].name]
    return {
        repeat: [
            recipe.blend({name: known[repeat][fold] for name, known in by_name.items()})
            for fold in range(len(repeats[repeat]))
        ]
        for repeat in repeats
    }


def _warnings(trials: list[Trial]) -> list[str]:
    skipped = [trial.configuration.name for trial in trials if trial.status == "skipped"]
    failed = [trial for trial in trials if trial.status == "failed"]
    warnings = []
    if skipped:
        warnings.append(
            f"the time was short: {len(trials) - len(skipped)} of {len(trials)} configurations "
            f"were tried; left out: {', '.join(skipped)}. A larger budget tries them all."
        )
    warnings += [f"trial {t.configuration.name} failed: {t.error}" for t in failed]
    return warnings
