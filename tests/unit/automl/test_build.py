"""From data to a model within the time and the speed that were asked."""

import time
from dataclasses import replace

import numpy as np
import pytest

from bikecast.core.spec import TrainingSettings
from bikecast.embedded.automl.budget import Clock
from bikecast.embedded.automl.build import _affordable, build
from bikecast.embedded.automl.card import model_card
from bikecast.embedded.automl.evaluate import evaluate
from bikecast.embedded.automl.workers import WorkerPool
from tests.unit.automl.tables import TIMED_COFFEE, coffee_data, predict_onnx

SETTINGS = TrainingSettings(experiment="t", allowed_algorithms=("Ridge", "LightGBM"))
SPEC = replace(TIMED_COFFEE, training=SETTINGS)


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(coffee_data(), 2) as made:
        yield made


@pytest.fixture(scope="module")
def built(pool):
    return build(coffee_data(), pool, Clock(time.monotonic() + 60), SPEC)


def test_every_split_is_predicted_by_the_recipe_and_by_ridge(built):
    for kind, rows in (("holdout", 24), ("time_ordered", 24)):
        assert len(built.predicted[kind]) == len(built.ridge[kind]) == rows
        assert built.scores[kind]["spearman"] > 0.5
    assert len(built.ridge_folds) == 5
    assert built.shuffled.shape == (6, built.shuffle.repeats, 24)


def test_the_card_tells_scores_members_and_limits(built):
    data = coffee_data()
    spec = replace(SPEC, data_licence="CC0")
    card = model_card(spec, data, built, evaluate(spec, data, built), {"job_id": "j-1"}, ["beware"])
    for text in ("Licence of the data: CC0", "time_ordered", "job_id: j-1", "- beware", "ridge"):
        assert text in card


def test_a_speed_that_no_model_has_takes_the_fastest_and_says_so(pool):
    wanted = replace(SPEC, training=replace(SETTINGS, min_rows_per_second=1e12))
    found = build(coffee_data(), pool, Clock(time.monotonic() + 60), wanted)
    assert found.warnings[-1] == "no model is as fast as asked; the fastest one was taken"
    assert len(found.result.recipe.members) == 1


def test_a_recipe_that_cannot_be_refitted_in_time_gives_way_to_one_that_can(built):
    trials = [replace(t, predictions=dict(t.predictions)) for t in built.result.trials]
    chosen = built.result.recipe.members[0][0].name
    for trial in trials:
        trial.fit_seconds = 1e6 if trial.configuration.name == chosen else 0.001
    found = replace(built.result, trials=trials)
    late = _affordable(found, Clock(time.monotonic() + 30), SPEC, coffee_data())
    ((member, weight),) = late.recipe.members
    assert (member.name != chosen, weight) == (True, 1.0)
    assert "could still be refitted" in late.warnings[-1]


def test_an_all_missing_column_and_many_categories_are_trained_on():
    data = coffee_data(200)
    texts = np.array([f"x{number}" for number in range(200)], dtype=object)
    price = np.full(200, np.nan, dtype=np.float32)
    data = replace(data, values={**data.values, "drink": texts, "price": price})
    with WorkerPool(data, 1) as own:
        made = build(data, own, Clock(time.monotonic() + 60), SPEC)
    assert np.isfinite(predict_onnx(made.model, data.columns, data.values)).all()
    findings = evaluate(SPEC, data, made)
    assert any("no value in any row" in text for text in findings.column_findings)
    assert [entry["column"] for entry in findings.leakage] == ["drink"]


@pytest.mark.slow
def test_ten_thousand_categories_become_a_small_model():
    rows = 12_000
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 10_000, rows)
    texts = np.array([f"place {code}" for code in codes], dtype=object)
    data = coffee_data(rows)
    data = replace(data, values={**data.values, "drink": texts}, target=codes % 50 + data.target)
    with WorkerPool(data, 2) as own:
        made = build(data, own, Clock(time.monotonic() + 300), SPEC)
    assert len(made.model) < 5_000_000
    findings = evaluate(SPEC, data, made).column_findings
    assert any("the 1,000 most frequent ones are told apart" in text for text in findings)
