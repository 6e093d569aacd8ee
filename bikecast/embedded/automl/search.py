"""The search: race the portfolio over repeated folds, then choose the ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bikecast.core.spec import TrainingSettings
from bikecast.embedded.automl import awake
from bikecast.embedded.automl.budget import ALL_ROWS_SHARE, ONE_SPLIT_SHARE, SAMPLE_SHARE, Clock
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.ensemble import Predictions, Recipe, choose
from bikecast.embedded.automl.folds import Folds
from bikecast.embedded.automl.importance import Shuffle
from bikecast.embedded.automl.memory import TrialMemory
from bikecast.embedded.automl.portfolio import portfolio_for
from bikecast.embedded.automl.scores import r2, rmse
from bikecast.embedded.automl.trials import Trial
from bikecast.embedded.automl.workers import Deadline, Outcome, Task, WorkerPool

#: A configuration that trails the best by this after the first repeat gets no second one.
RACE_MARGIN = 0.012
#: A trial may take this share of the time that its repeat has; longer ones are killed.
TRIAL_SHARE = 0.8


@dataclass(frozen=True)
class SearchResult:
    """All trials in portfolio order, the recipe, its inner scores, and what people should know.

    `folds` are those of the search, `scored` those of them that the recipe is scored on: `score`
    and `deviation` are its primary metric over them.
    """

    trials: list[Trial]
    recipe: Recipe
    cv: dict[str, float]
    score: float
    deviation: float
    warnings: list[str]
    folds: Folds
    scored: Folds

    @property
    def complete(self) -> bool:
        """True where the whole plan of a small table was done: the time decided nothing."""
        repeats = len(self.folds.repeats)
        return not self.folds.growing and all(
            trial.status in ("failed", "raced") or len(trial.predictions) == repeats
            for trial in self.trials
        )


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
    clock: Clock,
    report: Report = nothing,
    memory: TrialMemory | None = None,
) -> SearchResult:
    """Race the portfolio on `rows` and choose a recipe.

    All first repeats are scored before second ones begin, so which configurations go on depends
    on scores alone; a small table's search is the same on any machine unless the budget ends it.
    At least one trial is tried to its end whatever the time. A fit on all rows of a large table
    is begun only where it and the trial's last fits can end in time. What `memory` has is not
    trained again.
    Raises NoModelError where no trial succeeds, InvalidInput where no algorithm is allowed.
    """
    seed, metric = settings.seed, settings.primary_metric
    folds = Folds.make(rows, seed)
    trials = [Trial(c) for c in portfolio_for(data.target[rows], len(rows), settings)]
    by_name = {trial.configuration.name: trial for trial in trials}

    def race(repeat: int, racing: list[Trial], deadline: Deadline) -> None:
        tasks = [
            Task(
                (t.configuration.name,),
                t.configuration,
                folds.repeats[repeat],
                seed,
                expected_seconds=_expected(t, folds, repeat),
            )
            for t in racing
        ]

        def take(outcome: Outcome) -> None:
            trial = by_name[outcome.task.key[0]]
            _record(trial, repeat, outcome, folds, metric, data.target)
            report(trials)

        recalled = {t.key: memory.recall(t) for t in tasks} if memory is not None else {}
        for recorded in recalled.values():
            if recorded is not None:
                take(recorded)
        longest = TRIAL_SHARE * max(0.0, deadline() - awake.now())
        rest = [task for task in tasks if recalled.get(task.key) is None]
        for outcome in pool.run(rest, deadline=deadline, task_seconds=longest):
            if memory is not None:
                memory.record(outcome)
            take(outcome)

    def until(share: float, members: Callable[[], list[Trial]]) -> Deadline:
        """Earlier the slower the trials turn out to be; `members` may have to be fitted again."""
        if folds.growing:
            fixed = clock.share_deadline(share, trials)
            return lambda: fixed
        left = clock.left()
        return lambda: clock.search_deadline(trials, members(), data.rows, left)

    share = SAMPLE_SHARE if len(folds.repeats) > 1 else ONE_SPLIT_SHARE
    race(0, trials, until(share, lambda: _best(trials)))
    if not any(trial.status == "ok" for trial in trials):
        stopped = [t for t in trials if t.left_out]
        for trial in stopped[:3]:  # whatever the time: a job without a model is worth nothing
            race(0, [trial], lambda: float("inf"))
            if trial.status == "ok":
                break
    for trial in trials:
        if trial.left_out:
            trial.status = "skipped"
    good = [trial for trial in trials if trial.status == "ok"]
    if not good:
        raise NoModelError("; ".join(f"{t.configuration.name}: {t.error}" for t in trials[:5]))
    best = max(trial.mean for trial in good)
    finalists = [trial for trial in good if trial.mean >= best - RACE_MARGIN]
    if len(folds.repeats) > 1:
        racing = _can_end(finalists, folds, clock, data.rows) if folds.growing else finalists
        race(1, racing, until(ALL_ROWS_SHARE, lambda: finalists))
    candidates = _comparable(finalists, folds)
    for trial in good:
        if trial not in candidates and trial.status == "ok":
            trial.status = "raced"
    scored, predictions = _scored_on(candidates, folds)
    chosen = [(t.configuration, predictions[t.configuration.name]) for t in candidates]
    recipe = choose(chosen, scored, metric, data.target, prefer_simple=settings.prefer_simple)
    return search_result(trials, recipe, folds, metric, data.target)


def _best(trials: list[Trial]) -> list[Trial]:
    """The best trial so far; empty before the first score."""
    scored = [trial for trial in trials if trial.scored]
    return [max(scored, key=lambda trial: trial.mean)] if scored else []


def _expected(trial: Trial, folds: Folds, repeat: int) -> float:
    """Seconds that a fit on all rows of a large table takes; else 0, for nothing is reckoned."""
    if not (folds.growing and trial.scored):
        return 0.0
    return len(folds.repeats[repeat]) * trial.seconds_for(folds.fit_rows(repeat))


def _can_end(finalists: list[Trial], folds: Folds, clock: Clock, rows: int) -> list[Trial]:
    """The finalists whose fit and last fits on all rows can end in time, best first."""
    left = clock.time_for_fits(finalists)
    return [
        trial
        for trial in sorted(finalists, key=lambda trial: (-trial.mean, trial.configuration.name))
        if _expected(trial, folds, 1) + clock.refit_seconds([trial], rows) <= left
    ]


def search_result(
    trials: list[Trial], recipe: Recipe, folds: Folds, metric: str, target: np.ndarray
) -> SearchResult:
    """The result with a recipe's own inner scores; `folds` are those of the search."""
    members = [trial for trial in trials if recipe.weight(trial.configuration.name)]
    scored, predictions = _scored_on(members, folds)
    blended = _blend(recipe, predictions)
    values = scored.scores(metric, target, blended)
    return SearchResult(
        trials,
        recipe,
        scored.summary(target, blended),
        float(values.mean()),
        float(values.std()),
        _warnings(trials),
        folds,
        scored,
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
    tasks = [
        Task((name, member.name), member, [split], seed, name == keep, (shuffles or {}).get(name))
        for member, _ in sorted(recipe.members, key=lambda entry: -entry[1])
        for name, split in splits.items()
    ]
    done: dict[str, dict[str, Outcome]] = {name: {} for name in splits}
    for outcome in pool.run(tasks, deadline=lambda: deadline):
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
    trial.fit_rows = folds.fit_rows(repeat)
    trial.fit_seconds = outcome.seconds / len(outcome.predictions)
    if outcome.processor_seconds:
        clock, processor = trial.worked
        trial.worked = clock + outcome.seconds, processor + outcome.processor_seconds
    counted = {repeat: outcome.predictions} if folds.growing else trial.predictions
    values = folds.scores(metric, target, counted)
    predicted = folds.out_of_fold(counted)
    trial.status, trial.error = "ok", ""
    trial.mean, trial.deviation = float(values.mean()), float(values.std())
    trial.rmse, trial.r2 = rmse(target[folds.rows], predicted), r2(target[folds.rows], predicted)


def _comparable(finalists: list[Trial], folds: Folds) -> list[Trial]:
    """Finalists that can be compared.

    Of growing folds those on the last repeat if there are any; else all on both repeats, or all
    on the first one.
    """
    alive = [trial for trial in finalists if trial.status == "ok"] or finalists
    if folds.growing:
        last = len(folds.repeats) - 1
        return [trial for trial in alive if last in trial.predictions] or alive
    if not all(len(trial.predictions) == len(folds.repeats) for trial in alive):
        for trial in alive:
            trial.predictions = {0: trial.predictions[0]}
    return alive


def _scored_on(trials: list[Trial], folds: Folds) -> tuple[Folds, dict[str, Predictions]]:
    """What trials are compared on: the folds, and the predictions of each.

    Of growing folds that is the last repeat that all of them have, alone.
    """
    by_name = {trial.configuration.name: trial.predictions for trial in trials}
    if not folds.growing:
        return folds, by_name
    repeat = max(set.intersection(*(set(predictions) for predictions in by_name.values())))
    return folds.only(repeat), {name: {0: done[repeat]} for name, done in by_name.items()}


def _blend(recipe: Recipe, by_name: Mapping[str, Predictions]) -> Predictions:
    """The recipe's out-of-fold predictions."""
    repeats = by_name[recipe.members[0][0].name]
    return {
        repeat: [
            recipe.blend({name: done[repeat][fold] for name, done in by_name.items()})
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
            f"the budget ended the search: {len(trials) - len(skipped)} of {len(trials)} "
            f"configurations were tried; left out: {', '.join(skipped)}. A larger budget tries "
            "them all."
        )
    warnings += [f"trial {t.configuration.name} failed: {t.error}" for t in failed]
    return warnings
