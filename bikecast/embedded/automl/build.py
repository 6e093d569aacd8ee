"""From data to a checked ONNX model with honest scores: the work of one job, without its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bikecast.core.errors import BikecastError, ModelRejected
from bikecast.core.spec import ModelSpec
from bikecast.embedded.automl import awake
from bikecast.embedded.automl.budget import Clock
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.ensemble import Recipe
from bikecast.embedded.automl.export.ensemble import export_model
from bikecast.embedded.automl.export.parity import Parity, check_export
from bikecast.embedded.automl.folds import Split, holdout_split, time_split
from bikecast.embedded.automl.honest import RIDGE
from bikecast.embedded.automl.importance import Shuffle
from bikecast.embedded.automl.leaderboard import ENSEMBLE, Exported
from bikecast.embedded.automl.memory import TrialMemory
from bikecast.embedded.automl.scores import scores
from bikecast.embedded.automl.search import (
    NoModelError,
    SearchResult,
    nothing,
    refit,
    search,
    search_result,
)
from bikecast.embedded.automl.trials import Trial
from bikecast.embedded.automl.workers import Outcome, Task, WorkerPool

#: The ridge baseline may take this share of the time that is left after the search.
BASELINE_SHARE = 0.1
#: What follows the search takes this long for each value of the table, above all on large ones.
SECONDS_A_VALUE = 1e-6


@dataclass(frozen=True)
class Built:
    """A job's product.

    `scores` has cv, holdout and time_ordered (None without a time key). `exported` maps a trial
    to what was measured of its graph. `splits` has the rows of holdout and, with a time key,
    time_ordered; `predicted` and `ridge` what their second rows were given by the recipe and by
    the ridge baseline (empty where the time was short). `ridge_folds` are the baseline's
    predictions of the first repeat that the recipe is scored on. `shuffled` are the recipe's
    predictions of the rows of `shuffle`.
    """

    model: bytes
    result: SearchResult
    parity: Parity
    exported: dict[str, Exported]
    scores: dict[str, dict[str, float] | None]
    splits: dict[str, Split]
    predicted: dict[str, np.ndarray]
    ridge: dict[str, np.ndarray]
    ridge_folds: list[np.ndarray]
    shuffle: Shuffle
    shuffled: np.ndarray
    warnings: list[str]

    @property
    def holdout(self) -> np.ndarray:
        """The held out rows."""
        return self.splits["holdout"][1]


def build(
    data: Dataset,
    pool: WorkerPool,
    clock: Clock,
    spec: ModelSpec,
    *,
    phase: Callable[[str], None] = nothing,
    report: Callable[[list[Trial]], None] = nothing,
    memory: TrialMemory | None = None,
) -> Built:
    """Search on 80% of the rows, refit on all, export, and score the recipe.

    Raises BikecastError where no trial succeeds, ModelRejected where no model can be exported.
    """
    settings = spec.training
    searched, held = holdout_split(data.rows, settings.seed)
    scored: dict[str, Split] = {"holdout": (searched, held)}
    if data.time is not None and (ordered := time_split(data.time)) is not None:
        scored["time_ordered"] = ordered
    clock = replace(
        clock,
        after_seconds=clock.after_seconds + SECONDS_A_VALUE * data.rows * len(data.columns),
        workers=settings.max_concurrent_trials,
        refits=len(scored) + 1,
    )
    phase("searching")
    try:
        result = search(
            data,
            searched,
            pool,
            settings,
            clock=clock,
            report=report,
            memory=memory,
        )
    except NoModelError as error:
        raise BikecastError(f"no configuration could be trained: {error}") from error
    phase("refitting")
    result = _affordable(result, clock, spec, data)
    warnings = list(result.warnings)
    ridge, ridge_folds = _ridge_baseline(result, scored, pool, clock, settings.seed)
    if not ridge:
        warnings.append("the ridge baseline could not be trained in time and is left out")
    everything = np.arange(data.rows)
    splits = {"all": (everything, everything[:1]), **scored}
    shuffle = Shuffle.plan(held, len(data.columns), settings.seed)
    fitted = _refit(result, splits, pool, settings.seed, clock, shuffle)
    phase("exporting")
    recipe = _usable(result, fitted, splits, pool, settings.seed, shuffle)
    if recipe != result.recipe:
        left_out = [m.name for m, _ in result.recipe.members if not recipe.weight(m.name)]
        warnings.append(f"could not be fitted again, and left out: {', '.join(left_out)}")
    model, final, parity, exported = _export(recipe, fitted["all"], result, data, spec, warnings)
    if final != result.recipe:
        metric = settings.primary_metric
        result = search_result(result.trials, final, result.folds, metric, data.target)
    predicted = {kind: _predict(final, fitted[kind], data) for kind in scored}
    by_kind: dict[str, dict[str, float] | None] = {"cv": result.cv, "time_ordered": None}
    for kind, (_, rows) in scored.items():
        by_kind[kind] = scores(data.target[rows], predicted[kind])
    shuffled = {
        member.name: done
        for member, _ in final.members
        if (done := fitted["holdout"][member.name].shuffled) is not None
    }
    return Built(
        model=model,
        result=result,
        parity=parity,
        exported=exported,
        scores=by_kind,
        splits=scored,
        predicted=predicted,
        ridge=ridge,
        ridge_folds=ridge_folds,
        shuffle=shuffle,
        shuffled=_clipped(final.blend(shuffled), data),
        warnings=warnings,
    )


Fitted = dict[str, dict[str, Outcome]]


def _affordable(result: SearchResult, clock: Clock, spec: ModelSpec, data: Dataset) -> SearchResult:
    """The result; its leader alone in place of an ensemble whose last fits take too long.

    Nothing is reckoned where the whole plan of a small table was done.
    """
    members = [trial for trial in result.trials if result.recipe.weight(trial.configuration.name)]
    left = clock.time_for_fits(result.trials)
    if result.complete or len(members) == 1:
        return result
    if clock.refit_seconds(members, data.rows) <= left:
        return result
    single = Recipe(((_leaders(result)[0].configuration, 1.0),))
    metric = spec.training.primary_metric
    reduced = search_result(result.trials, single, result.folds, metric, data.target)
    note = "the time was short: the best single model was taken in place of an ensemble"
    return replace(reduced, warnings=[*result.warnings, note])


def _leaders(result: SearchResult) -> list[Trial]:
    """The trials that have a score, the best first: of growing folds those on most rows."""
    scored = [trial for trial in result.trials if trial.scored]
    return sorted(scored, key=lambda t: (-max(t.predictions), -t.mean, t.configuration.name))


def _refit(
    result: SearchResult,
    splits: Mapping[str, Split],
    pool: WorkerPool,
    seed: int,
    clock: Clock,
    shuffle: Shuffle,
) -> Fitted:
    # What leads is delivered: only an ensemble of a search that time has ended loses members.
    limit = float("inf")
    if not result.complete and len(result.recipe.members) > 1:
        limit = clock.deadline - min(clock.tail(result.trials), 0.5 * clock.left())
    shuffles = {"holdout": shuffle}
    return refit(
        result.recipe, dict(splits), pool, seed=seed, deadline=limit, keep="all", shuffles=shuffles
    )


def _ridge_baseline(
    result: SearchResult, splits: Mapping[str, Split], pool: WorkerPool, clock: Clock, seed: int
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """The ridge baseline's predictions of each split and of each fold of the first repeat."""
    task = Task((RIDGE.name,), RIDGE, [*splits.values(), *result.scored.repeats[0]], seed)
    limit = float("inf")
    if not result.complete:
        limit = awake.now() + BASELINE_SHARE * clock.left()
    done = [outcome for outcome in pool.run([task], deadline=lambda: limit) if not outcome.error]
    if not done:
        return {}, []
    predictions = done[0].predictions
    return dict(zip(splits, predictions, strict=False)), predictions[len(splits) :]


def _usable(
    result: SearchResult,
    fitted: Fitted,
    splits: Mapping[str, Split],
    pool: WorkerPool,
    seed: int,
    shuffle: Shuffle,
) -> Recipe:
    """The recipe of the members that every split has; without any, the best trial that fits."""
    recipe = result.recipe
    names = [
        member.name
        for member, _ in recipe.members
        if all(member.name in done for done in fitted.values())
    ]
    if names:
        return recipe.only(names) if len(names) < len(recipe.members) else recipe
    for trial in _leaders(result):
        single = Recipe(((trial.configuration, 1.0),))
        shuffles = {"holdout": shuffle}
        done = refit(single, dict(splits), pool, seed=seed, keep="all", shuffles=shuffles)
        for split, outcomes in done.items():
            fitted[split].update(outcomes)
        if all(trial.configuration.name in outcomes for outcomes in done.values()):
            return single
    raise BikecastError("no trial could be fitted again on all rows")


def _export(
    recipe: Recipe,
    fitted: Mapping[str, Outcome],
    result: SearchResult,
    data: Dataset,
    spec: ModelSpec,
    warnings: list[str],
) -> tuple[bytes, Recipe, Parity, dict[str, Exported]]:
    """The first of these that passes the gate: the recipe, and its members alone, best first.

    The fastest one where all are slower than the settings allow.
    """
    output, wanted_speed = spec.model_output, spec.training.min_rows_per_second
    versions = spec.training.onnx_versions
    exported: dict[str, Exported] = {}
    slow: list[tuple[bytes, Recipe, Parity]] = []
    mean = {trial.configuration.name: trial.mean for trial in result.trials}
    best_first = sorted(recipe.members, key=lambda entry: -mean[entry[0].name])
    options = [recipe, *(Recipe(((member, 1.0),)) for member, _ in best_first)]
    winner: tuple[bytes, Recipe, Parity] | None = None
    for option in options if len(recipe.members) > 1 else options[:1]:
        members = [
            (native, weight)
            for member, weight in option.members
            if (native := fitted[member.name].model) is not None
        ]
        name = ENSEMBLE if len(members) > 1 else option.members[0][0].name
        try:
            graph = export_model(members, data.columns, output, data.target_minimum, versions)
            parity = check_export(graph, members, data, output)
        except (ModelRejected, ValueError) as error:
            warnings.append(f"{name} was not used: {error}")
            continue
        exported[name] = Exported(
            round(len(graph) / 1024, 1), float(f"{parity.difference:.2e}"), parity.rows_per_second
        )
        if parity.rows_per_second < wanted_speed:
            slow.append((graph, option, parity))
            speed = f"{parity.rows_per_second:,} rows a second, under {wanted_speed:,.0f}"
            warnings.append(f"{name} was not preferred: it scores {speed}")
            continue
        winner = winner or (graph, option, parity)
    if winner is None and slow:
        winner = max(slow, key=lambda entry: entry[2].rows_per_second)
        warnings.append("no model is as fast as asked; the fastest one was taken")
    if winner is None:
        raise ModelRejected(
            "no model passed the export gate: " + "; ".join(warnings[-len(options) :])
        )
    return *winner, exported


def _predict(recipe: Recipe, done: Mapping[str, Outcome], data: Dataset) -> np.ndarray:
    names = {member.name for member, _ in recipe.members}
    blended = recipe.blend({name: done[name].predictions[0] for name in names})
    return _clipped(blended, data)


def _clipped(predicted: np.ndarray, data: Dataset) -> np.ndarray:
    minimum = data.target_minimum
    result: np.ndarray = predicted if minimum is None else np.maximum(predicted, minimum)
    return result
