"""From data to a checked ONNX model with honest scores: the work of one job, without its files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from resources.automl.local.data import Dataset
from resources.automl.local.ensemble import Recipe
from resources.automl.local.export.ensemble import export_model
from resources.automl.local.export.parity import Parity, check_export
from resources.automl.local.folds import Split, holdout_split, time_split
from resources.automl.local.leaderboard import ENSEMBLE
from resources.automl.local.scores import scores
from resources.automl.local.search import NoModelError, SearchResult, Trial, nothing, refit, search
from resources.automl.local.workers import Outcome, WorkerPool
from resources.errors import BikecastError, ModelRejected

#: Seconds kept for choosing, exporting, the parity gate and the plots.
EXPORT_SECONDS = 1.6
#: Members of an ensemble that the time of the last refits is reckoned for.
EXPECTED_MEMBERS = 6
#: A job keeps at most this share of its remaining time for what follows the search.
MAX_RESERVE = 0.6


@dataclass(frozen=True)
class Clock:
    """The budget: a time.monotonic() value at which all must be done."""

    deadline: float
    after_seconds: float = 0.0
    """Kept for what the caller does after the build."""

    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self.deadline - time.monotonic())

    def search_deadline(self, trials: list[Trial], workers: int) -> float:
        """When the search must stop so that three refits of the members still fit in.

        A fold's fit sees 80% of the search rows, a refit all of them or of the table, so a refit
        is reckoned as 1.5 fits.
        """
        per_fit = sorted(
            (t.seconds / (5 * len(t.predictions)) for t in trials if t.predictions), reverse=True
        )
        refits = 3 * 1.5 * sum(per_fit[:EXPECTED_MEMBERS]) / workers
        reserve = max(EXPORT_SECONDS + self.after_seconds + refits, 0.15 * self.left())
        return self.deadline - min(reserve, MAX_RESERVE * self.left())


@dataclass(frozen=True)
class Built:
    """A job's product.

    `scores` has cv, holdout and time_ordered (None without a time key). `exported` maps a trial
    to ONNX KB and parity. `holdout` are the held out rows and `predicted` what they were given.
    """

    model: bytes
    found: SearchResult
    parity: Parity
    exported: dict[str, tuple[float, float]]
    scores: dict[str, dict[str, float] | None]
    holdout: np.ndarray
    predicted: np.ndarray
    warnings: list[str]


def build(
    data: Dataset,
    pool: WorkerPool,
    clock: Clock,
    *,
    output: str,
    metric: str,
    seed: int,
    workers: int,
    phase: Callable[[str], None] = nothing,
    report: Callable[[list[Trial]], None] = nothing,
) -> Built:
    """Search on 80% of the rows, refit on all, export, and score the recipe.

    Raises BikecastError where no trial succeeds, ModelRejected where no model can be exported.
    """
    searched, held = holdout_split(data.rows, seed)
    phase("searching")
    try:
        found = search(
            data,
            searched,
            pool,
            metric=metric,
            seed=seed,
            deadline=lambda trials: clock.search_deadline(trials, workers),
            report=report,
        )
    except NoModelError as error:
        raise BikecastError(f"no configuration could be trained: {error}") from error
    phase("refitting")
    everything = np.arange(data.rows)
    splits: dict[str, Split] = {"all": (everything, everything[:1]), "holdout": (searched, held)}
    ordered = time_split(data.time) if data.time is not None else None
    if ordered is not None:
        splits["time_ordered"] = ordered
    fitted = _refit(found.recipe, splits, pool, seed, clock)
    phase("exporting")
    recipe = _usable(found, fitted, splits, pool, seed)
    warnings = list(found.warnings)
    if recipe != found.recipe:
        warnings.append("the time was short: not all members of the ensemble could be refitted")
    model, final, parity, exported = _export(recipe, fitted["all"], found, data, output, warnings)
    found = replace(found, recipe=final) if final != found.recipe else found
    predicted = _predict(final, fitted["holdout"], data)
    by_kind: dict[str, dict[str, float] | None] = {
        "cv": found.cv,
        "holdout": scores(data.target[held], predicted),
        "time_ordered": None,
    }
    if ordered is not None:
        late = _predict(final, fitted["time_ordered"], data)
        by_kind["time_ordered"] = scores(data.target[ordered[1]], late)
    return Built(model, found, parity, exported, by_kind, held, predicted, warnings)


Fitted = dict[str, dict[str, Outcome]]


def _refit(
    recipe: Recipe,
    splits: Mapping[str, Split],
    pool: WorkerPool,
    seed: int,
    clock: Clock,
) -> Fitted:
    limit = clock.deadline - min(clock.after_seconds + EXPORT_SECONDS, 0.5 * clock.left())
    return refit(recipe, dict(splits), pool, seed=seed, deadline=limit, keep="all")


def _usable(
    found: SearchResult,
    fitted: Fitted,
    splits: Mapping[str, Split],
    pool: WorkerPool,
    seed: int,
) -> Recipe:
    """The recipe of the members that every split has; the fastest alone if there is none."""
    names = [
        member.name
        for member, _ in found.recipe.members
        if all(member.name in done for done in fitted.values())
    ]
    if names:
        return found.recipe.only(names) if len(names) < len(found.recipe.members) else found.recipe
    good = [trial for trial in found.trials if trial.predictions]
    fastest = min(good, key=lambda t: (t.seconds / len(t.predictions), t.configuration.name))
    single = Recipe(((fastest.configuration, 1.0),))
    for split, done in refit(single, dict(splits), pool, seed=seed, keep="all").items():
        fitted[split].update(done)
    if not all(fastest.configuration.name in done for done in fitted.values()):
        raise BikecastError(f"{fastest.configuration.name} could not be refitted on all rows")
    return single


def _export(
    recipe: Recipe,
    fitted: Mapping[str, Outcome],
    found: SearchResult,
    data: Dataset,
    output: str,
    warnings: list[str],
) -> tuple[bytes, Recipe, Parity, dict[str, tuple[float, float]]]:
    """The first of these that passes the gate: the recipe, and its members alone, best first."""
    exported: dict[str, tuple[float, float]] = {}
    mean = {trial.configuration.name: trial.mean for trial in found.trials}
    best_first = sorted(recipe.members, key=lambda entry: -mean[entry[0].name])
    options = [recipe, *(Recipe(((member, 1.0),)) for member, _ in best_first)]
    winner: tuple[bytes, Recipe, Parity] | None = None
    for option in options if len(recipe.members) > 1 else options[:1]:
        members = [(fitted[m.name].model, weight) for m, weight in option.members]
        known = [(model, weight) for model, weight in members if model is not None]
        name = ENSEMBLE if len(known) > 1 else option.members[0][0].name
        try:
            model = export_model(known, data.columns, output, data.target_minimum)
            parity = check_export(model, known, data, output)
        except (ModelRejected, ValueError) as error:
            warnings.append(f"{name} was not used: {error}")
            continue
        exported[name] = (round(len(model) / 1024, 1), float(f"{parity.difference:.2e}"))
        winner = winner or (model, option, parity)
    if winner is None:
        raise ModelRejected(
            "no model passed the export gate: " + "; ".join(warnings[-len(options) :])
        )
    return *winner, exported


def _predict(recipe: Recipe, done: Mapping[str, Outcome], data: Dataset) -> np.ndarray:
    names = {member.name for member, _ in recipe.members}
    blended = recipe.blend({name: done[name].predictions[0] for name in names})
    minimum = data.target_minimum
    result: np.ndarray = blended if minimum is None else np.maximum(blended, minimum)
    return result
