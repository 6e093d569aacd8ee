"""The deadline is kept by reckoning: simulated time, no real fits, so a busy machine fails nothing.

A simulated pool answers each task after the seconds that its configuration takes on so many rows,
times how slow the machine is. What is asserted is that what follows the search ends in time.
"""

import heapq
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikecast.embedded.automl import awake
from bikecast.embedded.automl import budget as budget_module
from bikecast.embedded.automl.budget import Clock
from bikecast.embedded.automl.build import _affordable
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.folds import LARGE_ROWS, SAMPLE_ROWS, Folds
from bikecast.embedded.automl.search import refit, search
from bikecast.embedded.automl.trials import SLACK, Trial
from bikecast.embedded.automl.workers import Outcome, Task
from tests.unit.automl.tables import TIMED_COFFEE
from tests.unit.automl.test_workers import RIDGE

#: Processor seconds of a fit on 10,000 rows, and how they grow with the rows.
COST = {
    "ridge": (0.05, 1),
    "mlp": (3, 1),
    "lightgbm": (1.5, 0.7),
    "gradient_boosting": (6, 1),
    "extra_trees": (10, 1),
    "random_forest": (10, 1),
    "svr": (8, 2),
    "gaussian_process": (60, 3),
}


@dataclass
class World:
    """Simulated time, in seconds, and a machine that is `slow` times slower than an idle one."""

    slow: float
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def seconds(self, task: Task) -> float:
        cost, power = COST[task.configuration.family]
        scale = 2.0 if task.configuration.name == "lightgbm-larger" else 1.0
        rows = [len(fit) for fit, _ in task.splits]
        return self.slow * scale * sum(0.01 + cost * (n / 10_000) ** power for n in rows)


@dataclass
class SimulatedPool:
    """As WorkerPool.run, in simulated time."""

    world: World
    target: np.ndarray
    size: int = 2

    def run(self, tasks, *, deadline, task_seconds=math.inf):
        queue, busy, number = list(tasks), [], 0
        while queue or busy:
            last = deadline()
            while queue and len(busy) < self.size and self.world.now < last:
                task = queue.pop(0)
                if self.world.now + task.expected_seconds > last:
                    continue
                needed = self.world.seconds(task)
                heapq.heappush(busy, (self.world.now + needed, number, task, needed))
                number += 1
            if not busy:
                return
            ends, _, task, needed = heapq.heappop(busy)
            stop = min(last, ends - needed + task_seconds)
            self.world.now = max(self.world.now, min(ends, stop))
            yield self._outcome(task, needed, late=stop < ends)

    def _outcome(self, task, needed, *, late) -> Outcome:
        if late:
            return Outcome(task, needed, error="stopped: out of time")
        rng = np.random.default_rng(len(task.configuration.name))
        noise = self.target.std() * rng.uniform(0.3, 0.35)
        predicted = [self.target[held] + rng.normal(0, noise, len(held)) for _, held in task.splits]
        return Outcome(task, needed, predicted, processor_seconds=needed / self.world.slow)


def table(rows: int) -> Dataset:
    target = np.random.default_rng(0).normal(50, 10, rows)
    return Dataset(TIMED_COFFEE.features, {}, target, None, None, None)


SPEC = TIMED_COFFEE
SMALL, LARGE = table(700), table(45_000)


@contextmanager
def simulated(world: World) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(awake, "now", world.monotonic)
        yield


def seconds_of_a_job(data: Dataset, budget: float, after: float, slow: float) -> float:
    """Simulated seconds of search, last fits and all that follows."""
    world, rows = World(slow), np.arange(data.rows)
    part = rows[: int(0.8 * data.rows)]
    with simulated(world):
        clock, pool = Clock(budget, after), SimulatedPool(world, data.target)
        found = search(data, part, pool, SPEC.training, clock=clock)
        recipe = _affordable(found, clock, SPEC, data).recipe
        splits = {"all": (rows, rows[:1]), "holdout": (part, rows[:1]), "time": (part, rows[:1])}
        refit(recipe, splits, pool, seed=0)
    return world.now + slow * (budget_module.EXPORT_SECONDS + after)


SLOW, BUDGET, AFTER = st.floats(0.1, 4), st.floats(20, 900), st.floats(0, 2)


@given(slow=SLOW, budget=BUDGET, after=AFTER)
@settings(max_examples=12)
def test_a_job_on_few_rows_ends_within_its_budget(slow, budget, after):
    limit = budget + max(1.0, 0.05 * budget)
    assert seconds_of_a_job(SMALL, budget, after, slow) <= limit


@pytest.mark.slow
@given(slow=st.floats(0.1, 1), budget=BUDGET, after=AFTER)
@settings(max_examples=25)
def test_a_job_on_many_rows_ends_within_its_budget(slow, budget, after):
    """On a machine that is not busy: on others the leader is fitted to its end all the same."""
    limit = budget + max(1.0, 0.05 * budget)
    assert seconds_of_a_job(LARGE, budget, after, slow) <= limit


def test_a_large_table_is_raced_on_a_sample_first_and_then_on_all_rows():
    world = World(0.2)
    rows = np.arange(45_000)
    with simulated(world):
        pool = SimulatedPool(world, LARGE.target)
        found = search(LARGE, rows, pool, SPEC.training, clock=Clock(600))
    assert found.scored.fit_rows(0) == 36_000
    members = [t for t in found.trials if found.recipe.weight(t.configuration.name)]
    assert all(set(trial.predictions) == {0, 1} for trial in members)


def test_folds_grow_only_where_a_sample_is_much_cheaper():
    assert len(Folds.make(np.arange(LARGE_ROWS + 1), 0).repeats) == 1
    grown = Folds.make(np.arange(80_000), 0)
    assert [grown.fit_rows(n) for n in (0, 1)] == [SAMPLE_ROWS, 70_000]
    (sample, held), (everything, again) = (splits[0] for splits in grown.repeats)
    assert np.array_equal(held, again)
    assert np.isin(sample, everything).all()
    assert not np.isin(held, everything).any()


def test_a_busy_machine_gets_more_time_for_what_follows_the_search():
    clock, idle = Clock(100, after_seconds=1), Clock(100, after_seconds=1).tail([])
    slow, hung = Trial(RIDGE, worked=(9.0, 3.0)), Trial(RIDGE, worked=(900.0, 3.0))
    assert clock.tail([slow, slow]) == 3 * idle
    assert clock.tail([slow, hung]) == budget_module.MAX_WAITING * idle


def test_a_trial_of_a_moment_does_not_tell_how_busy_the_machine_is():
    assert Clock(100).tail([Trial(RIDGE, worked=(0.5, 0.1))]) == Clock(100).tail([])


def test_a_fit_on_more_rows_is_expected_to_take_longer():
    trial = Trial(RIDGE, predictions={0: []}, fit_rows=100, fit_seconds=2.0)
    assert trial.seconds_for(50) == trial.seconds_for(100) == 2 * SLACK
    assert trial.seconds_for(400) == pytest.approx(4 * trial.seconds_for(100))
