"""From data to a model within the time and the speed that were asked."""

from dataclasses import replace

import numpy as np
import pytest

from bikecast.core.spec import TrainingSettings
from bikecast.embedded.automl import awake
from bikecast.embedded.automl.budget import Clock
from bikecast.embedded.automl.build import _affordable, _leaders, _usable, build
from bikecast.embedded.automl.card import model_card
from bikecast.embedded.automl.ensemble import Recipe
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
    return build(coffee_data(), pool, Clock(awake.now() + 60), SPEC)


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
    assert f"\n{data.rows} rows of" in card
    sampled = model_card(spec, data, built, evaluate(spec, data, built), {"rows_there": 9000}, [])
    assert f"\n{data.rows} of 9000 rows of" in sampled
    for text in ("Licence of the data: CC0", "time_ordered", "job_id: j-1", "- beware", "ridge"):
        assert text in card


def test_a_speed_that_no_model_has_takes_the_fastest_and_says_so(pool):
    wanted = replace(SPEC, training=replace(SETTINGS, min_rows_per_second=1e12))
    found = build(coffee_data(), pool, Clock(awake.now() + 60), wanted)
    assert found.warnings[-1] == "no model is as fast as asked; the fastest one was taken"
    assert len(found.result.recipe.members) == 1


def slow(result):
    """The result, with fits that take weeks."""
    return replace(result, trials=[replace(t, fit_seconds=1e6) for t in result.trials])


def blend(result):
    """The result with all of its trials as members."""
    members = [(trial.configuration, 0.5) for trial in result.trials]
    return replace(result, recipe=Recipe(tuple(members)))


def test_what_leads_is_delivered_however_slow_it_seems(built):
    clock, data = Clock(awake.now()), coffee_data()
    found = slow(built.result)
    assert _affordable(found, clock, SPEC, data) is found
    together = blend(found)
    assert _affordable(together, clock, SPEC, data) is together


def test_an_ensemble_of_a_large_table_that_takes_too_long_gives_way_to_its_leader(built):
    found = blend(slow(built.result))
    found = replace(found, folds=replace(found.folds, growing=True))
    late = _affordable(found, Clock(awake.now() + 30), SPEC, coffee_data())
    ((member, weight),) = late.recipe.members
    best = max(found.trials, key=lambda trial: trial.mean)
    assert (member.name, weight) == (best.configuration.name, 1.0)
    assert "the best single model was taken" in late.warnings[-1]


def test_the_next_best_trial_is_delivered_where_the_leaders_fit_fails(built, pool, monkeypatch):
    result = built.result
    first, second = (trial.configuration.name for trial in _leaders(result)[:2])

    def failing(tasks, **kwargs):
        return WorkerPool.run(pool, [t for t in tasks if t.configuration.name != first], **kwargs)

    monkeypatch.setattr(pool, "run", failing)
    splits = {"all": built.splits["holdout"], **built.splits}
    fitted = {split: {} for split in splits}
    single = _usable(result, fitted, splits, pool, 0, built.shuffle)
    assert [member.name for member, _ in single.members] == [second]


def test_an_all_missing_column_and_many_categories_are_trained_on():
    data = coffee_data(200)
    texts = np.array([f"x{number}" for number in range(200)], dtype=object)
    price = np.full(200, np.nan, dtype=np.float32)
    data = replace(data, values={**data.values, "drink": texts, "price": price})
    with WorkerPool(data, 1) as own:
        made = build(data, own, Clock(awake.now() + 60), SPEC)
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
        made = build(data, own, Clock(awake.now() + 300), SPEC)
    assert len(made.model) < 5_000_000
    findings = evaluate(SPEC, data, made).column_findings
    assert any("the 1,000 most frequent ones are told apart" in text for text in findings)
