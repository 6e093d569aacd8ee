"""Workers that fail, hang or die cost one trial."""

from dataclasses import replace

import numpy as np
import psutil
import pytest

from bikecast.core.spec import TrainingSettings
from bikecast.embedded.automl import awake
from bikecast.embedded.automl.budget import Clock
from bikecast.embedded.automl.portfolio import Configuration
from bikecast.embedded.automl.search import NoModelError, search
from bikecast.embedded.automl.workers import Task, WorkerPool
from tests.unit.automl.tables import coffee_data

RIDGE = Configuration("ridge", "ridge", "raw", "none", {"alpha": 1.0})
#: Takes minutes: only a kill ends it.
ENDLESS = Configuration(
    "endless", "extra_trees", "raw", "none", {"n_estimators": 200_000, "max_features": 1.0}
)
SETTINGS = TrainingSettings(experiment="test")


def never() -> float:
    return float("inf")


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(coffee_data(), 2) as made:
        yield made


def task(configuration: Configuration) -> Task:
    rows = np.arange(120)
    return Task((configuration.name,), configuration, [(rows[:100], rows[100:])])


def test_a_task_predicts_the_rows_that_it_did_not_see(pool):
    (outcome,) = pool.run([task(RIDGE)], deadline=never)
    assert outcome.error == ""
    assert outcome.predictions[0].shape == (20,)
    assert outcome.model is None


def test_an_estimators_exception_is_the_trials_error(pool):
    wrong = Configuration("wrong", "ridge", "raw", "none", {"no_such_parameter": 1})
    outcomes = {o.task.key[0]: o for o in pool.run([task(wrong), task(RIDGE)], deadline=never)}
    assert "no_such_parameter" in outcomes["wrong"].error
    assert outcomes["ridge"].error == ""


def test_a_task_over_its_limit_is_killed_and_the_rest_goes_on(pool):
    tasks = [task(ENDLESS), task(RIDGE), task(RIDGE)]
    outcomes = [(o.task.key[0], o.error) for o in pool.run(tasks, deadline=never, task_seconds=1)]
    assert sorted(outcomes) == [("endless", "stopped: out of time"), ("ridge", ""), ("ridge", "")]


def test_the_deadline_ends_running_tasks_and_leaves_out_the_others(pool):
    tasks = [task(ENDLESS), task(ENDLESS), task(RIDGE)]
    end = awake.now() + 0.5
    outcomes = [o.error for o in pool.run(tasks, deadline=lambda: end)]
    assert outcomes == ["stopped: out of time"] * 2


def test_a_task_that_cannot_end_in_time_is_not_begun(pool):
    end = awake.now() + 1000
    tasks = [replace(task(RIDGE), expected_seconds=1e6), task(RIDGE)]
    outcomes = list(pool.run(tasks, deadline=lambda: end))
    assert [outcome.task.expected_seconds for outcome in outcomes] == [0]


def test_a_killed_worker_is_a_failed_trial_and_is_replaced(pool):
    outcomes = []
    for outcome in pool.run([task(RIDGE), task(ENDLESS)], deadline=never):
        outcomes.append((outcome.task.key[0], outcome.error))
        if outcome.task.key[0] == "ridge":
            busy = next(w for w in pool._workers if w.task is not None)
            psutil.Process(busy.process.pid).kill()
    assert outcomes[1] == ("endless", "the worker died (exit code -9)")
    (again,) = pool.run([task(RIDGE)], deadline=never)
    assert again.error == ""


def test_a_search_that_is_late_from_the_start_still_finds_a_model(pool):
    found = search(
        coffee_data(),
        np.arange(120),
        pool,
        SETTINGS,
        clock=Clock(awake.now()),
    )
    assert [member.name for member, _ in found.recipe.members] == ["ridge"]
    assert "1 of 13 configurations were tried" in found.warnings[0]


def test_a_search_without_any_success_says_why(pool, monkeypatch):
    wrong = Configuration("wrong", "ridge", "raw", "none", {"no_such_parameter": 1})
    monkeypatch.setattr("bikecast.embedded.automl.search.portfolio_for", lambda *_: (wrong,))
    with pytest.raises(NoModelError, match="no_such_parameter"):
        search(
            coffee_data(),
            np.arange(120),
            pool,
            SETTINGS,
            clock=Clock(awake.now() + 60),
        )
