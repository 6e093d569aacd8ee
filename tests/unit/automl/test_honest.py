"""Baselines, intervals, importance, findings and the choice of a simple model."""

from dataclasses import replace

import numpy as np
import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import EMBEDDED_ALGORITHMS, Column, TrainingSettings
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.ensemble import choose
from bikecast.embedded.automl.folds import LARGE_ROWS, Folds
from bikecast.embedded.automl.honest import (
    group_means,
    intervals,
    lead,
    mean_baseline,
    segment_scores,
)
from bikecast.embedded.automl.importance import MAX_CELLS, Shuffle, importances
from bikecast.embedded.automl.leakage import leakage_signs, repeated_rows
from bikecast.embedded.automl.models import fit_model
from bikecast.embedded.automl.portfolio import (
    PORTFOLIO,
    Configuration,
    portfolio_for,
)
from tests.second_spec import COFFEE_SALES
from tests.unit.automl.tables import TIMED_COFFEE, coffee_data
from tests.unit.automl.test_choosing import candidates

RIDGE = Configuration("ridge", "ridge", "one_hot", "none", {"alpha": 1.0})
SPLIT = (np.arange(96), np.arange(96, 120))


def test_a_dated_table_has_a_mean_by_month_and_weekday():
    data = coffee_data()
    name, groups = mean_baseline(TIMED_COFFEE, data)
    assert name == "mean by month and weekday"
    # 1 January 2024 was a Monday, the first of seven different days.
    assert groups[0] == 1
    assert len(set(groups[:7])) == 7
    assert groups[31] // 7 == 1


def test_without_days_the_mean_is_by_segment():
    data = coffee_data()
    name, groups = mean_baseline(
        replace(COFFEE_SALES, training_table="x"), replace(data, time_labels=None)
    )
    assert name == "mean by drink"
    for drink in set(data.values["drink"]):
        assert len(set(groups[data.values["drink"] == drink])) == 1


def test_a_group_that_was_never_seen_gets_the_overall_mean():
    groups, target = np.array([0, 0, 1, 2]), np.array([1.0, 3.0, 8.0, 99.0])
    predicted = group_means(groups, target, (np.array([0, 1, 2]), np.array([0, 3])))
    assert predicted.tolist() == [2.0, 4.0]


def test_an_interval_holds_the_score_and_narrows_with_rows():
    rng = np.random.default_rng(0)
    widths = []
    for rows in (100, 2000):
        target = rng.normal(size=rows)
        predicted = target + rng.normal(size=rows)
        low, high = intervals(target, predicted, 0)["r2"]
        assert low < 1 - np.mean((target - predicted) ** 2) / target.var() < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_ordered_rows_have_wider_intervals_where_errors_hang_together():
    rng = np.random.default_rng(0)
    target = rng.normal(size=300)
    errors = np.repeat(rng.normal(size=30), 10)
    plain, blocks = (
        intervals(target, target + errors, 0, ordered=ordered)["rmse"] for ordered in (False, True)
    )
    assert blocks[1] - blocks[0] > 1.3 * (plain[1] - plain[0])


def test_the_feature_that_makes_the_target_is_the_most_important():
    data = coffee_data()
    model = fit_model(RIDGE, data, SPLIT[0], 0)
    shuffle = Shuffle.plan(SPLIT[1], len(data.columns), 0)
    shuffled = shuffle.predictions(model, data)
    assert shuffled.shape == (len(data.columns), shuffle.repeats, 24)
    rows = importances("r2_score", data, shuffle, model.predict(data.values, SPLIT[1]), shuffled)
    assert rows[0]["feature"] == "drink"
    assert {row["feature"] for row in rows[-3:]} & {"seats", "outdoor_temp", "rainy"}


def test_the_cost_of_importance_is_bounded():
    shuffle = Shuffle.plan(np.arange(50_000), 50, 0)
    assert 50 * shuffle.repeats * len(shuffle.rows) <= MAX_CELLS


def test_segments_cover_the_holdout():
    data = coffee_data()
    table = segment_scores(COFFEE_SALES, data, SPLIT[1], data.target[SPLIT[1]])
    assert sum(row["rows"] for row in table) == 24
    assert {row["rmse"] for row in table} == {0.0}


def test_a_feature_that_nearly_is_the_target_is_found():
    data = coffee_data()
    values = {**data.values, "price": (data.target * 2 + 1).astype(np.float32)}
    (found,) = leakage_signs(replace(data, values=values), SPLIT)
    assert (found["finding"], found["column"]) == ("near the target", "price")


def test_a_column_that_numbers_the_rows_is_found():
    data = coffee_data()
    values = {**data.values, "seats": np.random.default_rng(0).permutation(120).astype(np.float32)}
    (found,) = leakage_signs(replace(data, values=values), SPLIT)
    assert (found["finding"], found["column"]) == ("identifier", "seats")


def test_holdout_rows_that_were_searched_are_counted():
    data = coffee_data()
    values = {name: array.copy() for name, array in data.values.items()}
    for array in values.values():
        array[100:103] = array[:3]
    data = replace(data, values=values)
    assert repeated_rows(data, SPLIT) == 3
    assert "3 of 24 holdout rows" in str(leakage_signs(data, SPLIT)[0]["text"])


def test_the_simplest_within_one_standard_error_is_taken_unless_told_otherwise():
    made, folds, target = candidates([20, 20, 20, 20])
    best = choose(made, folds, "spearman_correlation", target, prefer_simple=False)
    simple = choose(made, folds, "spearman_correlation", target)
    assert len(simple.members) <= len(best.members)
    near, folds, target = candidates([20.0, 20.0])
    same = [(replace(near[1][0], family="gaussian_process"), near[0][1]), (near[0][0], near[0][1])]
    assert choose(same, folds, "spearman_correlation", target).members[0][0] == near[0][0]


DEFAULTS = TrainingSettings(experiment="t")


def test_only_allowed_algorithms_are_tried():
    target = np.arange(100.0) ** 3
    settings = TrainingSettings(experiment="t", allowed_algorithms=("LightGBM", "Ridge"))
    assert {c.family for c in portfolio_for(target, 100, settings)} == {"lightgbm", "ridge"}
    settings = TrainingSettings(experiment="t", blocked_algorithms=("LightGBM",))
    assert "lightgbm" not in {c.family for c in portfolio_for(target, 100, settings)}
    settings = TrainingSettings(experiment="t", allowed_algorithms=("SVR",))
    with pytest.raises(InvalidInput, match="no allowed algorithm suits 50000 rows"):
        portfolio_for(target, 50_000, settings)


def test_no_more_than_the_most_trials_are_tried():
    settings = TrainingSettings(experiment="t", max_trials=2)
    target = np.arange(100.0) ** 3

    assert portfolio_for(target, 100, settings) == portfolio_for(target, 100, DEFAULTS)[:2]


def test_a_target_without_skew_is_learned_as_it_is():
    symmetric, skewed = np.arange(100.0), np.exp(np.arange(100.0) / 20)
    assert {c.transform for c in portfolio_for(symmetric, 100, DEFAULTS)} == {"none"}
    assert {c.transform for c in portfolio_for(skewed, 100, DEFAULTS)} >= {"log1p", "sqrt"}


def test_every_algorithm_of_the_settings_is_in_the_portfolio():
    from bikecast.embedded.automl.portfolio import ALGORITHMS

    assert set(ALGORITHMS.values()) == set(EMBEDDED_ALGORITHMS)
    assert {c.family for c in PORTFOLIO} == set(ALGORITHMS)


def test_a_large_table_is_scored_on_one_split():
    folds = Folds.make(np.arange(LARGE_ROWS + 5), 0)
    ((split,),) = folds.repeats
    assert len(folds.rows) == len(split[1]) == (LARGE_ROWS + 5) // 5
    assert not set(split[0]) & set(split[1])
    predicted = {0: [np.arange(float(len(split[1])))]}
    assert folds.out_of_fold(predicted).tolist() == predicted[0][0].tolist()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"primary_metric": "accuracy"}, "'accuracy' is not one of"),
        ({"max_training_hours": 0}, "max_training_hours is 0"),
        ({"max_concurrent_trials": 0}, "max_concurrent_trials is 0"),
        ({"max_trials": -1}, "max_trials is -1"),
        ({"max_rows": -1}, "max_rows is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"allowed_algorithms": ("Magic",)}, "unknown algorithms Magic"),
        ({"allowed_algorithms": ("SVR",), "blocked_algorithms": ("SVR",)}, "is blocked"),
        ({"min_rows_per_second": -1}, "min_rows_per_second"),
        ({"onnx_opset": 8}, "onnx_opset is 8, not 9 to 18"),
        ({"onnx_ml_opset": 5}, "onnx_ml_opset is 5, not 1 to 3"),
        ({"onnx_opset": 13}, "onnx_ir_version is 4, not 7 to 10"),
    ],
)
def test_a_setting_out_of_range_is_named(setting, said):
    with pytest.raises(ValueError, match=said):
        TrainingSettings(experiment="t", **setting)


@pytest.mark.parametrize(
    ("formula", "make"),
    [
        ("casual + registered", lambda a, b: a + b),
        ("casual - registered", lambda a, b: a - b),
        ("registered - casual", lambda a, b: b - a),
        ("casual x registered", lambda a, b: a * b),
    ],
)
def test_a_target_that_is_made_of_two_features_is_named(formula, make):
    rng = np.random.default_rng(0)
    casual, registered = (rng.integers(1, 500, 300).astype(np.float32) for _ in range(2))
    target = make(casual.astype(float), registered.astype(float))
    columns = tuple(Column(name, "bigint") for name in ("temp", "casual", "registered"))
    values = {"temp": rng.random(300, np.float32), "casual": casual, "registered": registered}
    data = Dataset(columns, values, target)
    signs = leakage_signs(data, (np.arange(240), np.arange(240, 300)))
    (sign,) = [sign for sign in signs if sign["finding"] == "made of features"]
    assert f"the target is {formula} in 100% of the rows" in str(sign["text"])
    noisy = replace(data, target=target + rng.normal(0, 1, 300))
    signs = leakage_signs(noisy, (np.arange(240), np.arange(240, 300)))
    assert "made of features" not in {sign["finding"] for sign in signs}


def test_a_lead_over_a_baseline_is_beyond_noise_or_not():
    rng = np.random.default_rng(0)
    target = rng.normal(0, 1, 200)
    good, noise = target + rng.normal(0, 0.2, 200), rng.normal(0, 0.2, 200)
    low, high = lead("spearman_correlation", target, good, target + 5 * noise, 0, ordered=True)
    assert 0 < low < high
    low, high = lead("r2_score", target, good, target + noise, 0)
    assert low < 0 < high
