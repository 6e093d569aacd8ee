"""Scores, folds, views, the ensemble and the portfolio."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import TrainingSettings
from bikecast.embedded.automl.ensemble import Recipe, choose
from bikecast.embedded.automl.folds import LARGE_ROWS, Folds, holdout_split, time_split
from bikecast.embedded.automl.models import FAMILIES, LightGbm, TargetTransform
from bikecast.embedded.automl.portfolio import PORTFOLIO, Configuration, portfolio_for
from bikecast.embedded.automl.scores import objective, r2, rmse, scores, spearman
from bikecast.embedded.automl.views import Cycle, Indicators, Product, fit_view
from tests.unit.automl.tables import coffee_data

numbers = st.lists(st.integers(-5, 5), min_size=3, max_size=40)


@given(st.data())
def test_spearman_is_scipys_with_ties(data):
    from scipy.stats import spearmanr

    left = np.array(data.draw(numbers), dtype=float)
    right = np.array(
        data.draw(st.lists(st.integers(-5, 5), min_size=len(left), max_size=len(left))), dtype=float
    )
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        assert spearman(left, right) == 0.0
    else:
        assert spearman(left, right) == pytest.approx(spearmanr(left, right)[0], abs=1e-12)


def test_scores_of_a_known_prediction():
    target, predicted = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0])
    assert rmse(target, predicted) == pytest.approx(np.sqrt(4 / 3))
    assert r2(target, predicted) == pytest.approx(-1.0)
    assert scores(target, predicted)["rows"] == 3


def test_an_error_metric_is_turned_so_that_more_is_better():
    target = np.array([0.0, 10.0])
    near, far = np.array([0.0, 9.0]), np.array([3.0, 5.0])
    for metric in ("normalized_root_mean_squared_error", "normalized_mean_absolute_error"):
        assert objective(metric, target, near, 10) > objective(metric, target, far, 10)


def test_an_unknown_metric_is_named():
    with pytest.raises(InvalidInput, match="accuracy"):
        objective("accuracy", np.arange(3.0), np.arange(3.0), 2)


@given(st.integers(20, 200), st.integers(0, 5))
def test_each_row_is_held_out_once_a_repeat(rows, seed):
    folds = Folds.make(np.arange(rows), seed)
    for repeat in folds.repeats:
        parts = [part for _, part in repeat]
        assert sorted(np.concatenate(parts).tolist()) == list(range(rows))
        assert all(not set(fit) & set(part) for fit, part in repeat)


def test_the_holdout_is_a_fifth_and_disjoint():
    searched, held = holdout_split(731, 0)
    assert (len(searched), len(held)) == (585, 146)
    assert not set(searched) & set(held)


@given(st.lists(st.integers(0, 12), min_size=20, max_size=60))
def test_the_time_split_trains_only_on_earlier_rows(times):
    time = np.array(times)
    split = time_split(time)
    if split is not None:
        early, late = split
        assert time[early].max() < time[late].min()
        assert len(early) + len(late) == len(time)


def test_rows_of_one_time_have_no_time_split():
    assert time_split(np.zeros(30)) is None


def test_a_cycle_brings_the_last_code_next_to_the_first():
    data = coffee_data()
    rows = np.arange(data.rows)
    view = fit_view("cyclic", data.columns, data.values, rows, data.target)
    cycle = next(block for block in view.blocks if isinstance(block, Cycle))
    assert cycle.column == "weekday"
    points = cycle.table
    step = np.linalg.norm(points[0] - points[6])
    assert step == pytest.approx(np.linalg.norm(points[1] - points[0]), rel=1e-5)


def test_texts_become_indicators_in_every_view():
    data = coffee_data()
    rows = np.arange(data.rows)
    for name in ("raw", "products", "one_hot", "one_hot_products", "cyclic"):
        view = fit_view(name, data.columns, data.values, rows, data.target)
        text = next(b for b in view.blocks if isinstance(b, Indicators) and b.column == "drink")
        assert set(text.codes) == set(data.values["drink"])
        assert view.matrix(data.values, rows).dtype == np.float32


def test_products_join_measured_columns():
    data = coffee_data()
    rows = np.arange(data.rows)
    view = fit_view("products", data.columns, data.values, rows, data.target)
    pairs = {(b.left.column, b.right.column) for b in view.blocks if isinstance(b, Product)}
    assert {("price", "seats"), ("price", "rainy")} <= pairs


@given(st.floats(-1e6, 1e6), st.sampled_from(["none", "log1p", "sqrt"]))
def test_an_inverse_never_runs_away(inner, name):
    target = np.linspace(0, 1000, 50)
    transform = TargetTransform.fit(name, target)
    assert -201 <= transform.inverse(np.array([inner]))[0] <= 5000


@pytest.mark.parametrize("name", ["none", "log1p", "sqrt"])
def test_a_target_transform_is_undone(name):
    target = np.linspace(0, 1000, 50)
    transform = TargetTransform.fit(name, target)
    assert transform.inverse(transform.forward(target)) == pytest.approx(target, abs=1e-9)


def test_a_negative_target_is_not_transformed():
    chosen = portfolio_for(np.array([-1.0, 2.0]), 100, TrainingSettings("t"))
    assert {configuration.transform for configuration in chosen} == {"none"}


def test_boosted_trees_come_first_on_large_tables():
    target = np.random.default_rng(0).normal(0, 1, LARGE_ROWS + 1)
    names = [c.name for c in portfolio_for(target, len(target), TrainingSettings("t"))]
    assert names[:3] == ["lightgbm-defaults", "lightgbm-large", "lightgbm-large-log"]
    assert "lightgbm-defaults" not in [
        c.name for c in portfolio_for(target, 700, TrainingSettings("t"))
    ]


def test_rounds_end_where_held_rows_get_no_better():
    rng = np.random.default_rng(0)
    matrix = rng.normal(0, 1, (400, 3)).astype(np.float32)
    inner = matrix[:, 0] + rng.normal(0, 2, 400)
    parameters = {"num_leaves": 15, "learning_rate": 0.3, "rounds": 300, "stopping": 5}
    rounds = [LightGbm(dict(parameters), 0).fit(matrix, inner).booster.num_trees() for _ in "ab"]
    assert 0 < rounds[0] == rounds[1] < 100


def test_the_one_fold_of_a_large_table_is_scored_in_parts():
    target = np.random.default_rng(0).normal(0, 1, LARGE_ROWS + 10)
    folds = Folds.make(np.arange(len(target)), 0)
    part = folds.repeats[0][0][1]
    values = folds.scores("r2_score", target, {0: [target[part] + 0.1]})
    assert len(values) == 5
    assert values.mean() == pytest.approx(0.99, abs=0.005)


def test_kernel_methods_are_left_out_of_large_tables():
    families = {c.family for c in portfolio_for(np.arange(3.0), 100_000, TrainingSettings("t"))}
    assert families.isdisjoint({"svr", "gaussian_process"})
    assert {"lightgbm", "ridge"} <= families


def candidates(noises: list[float], *, scale: float = 1.0):
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 100, 300)
    folds = Folds.make(np.arange(300), 0)
    made = []
    for number, noise in enumerate(noises):
        predicted = target * scale + rng.normal(0, noise, 300)
        configuration = replace(PORTFOLIO[0], name=f"t{number}", family=list(FAMILIES)[number])
        by_repeat = {r: [predicted[p] for _, p in parts] for r, parts in enumerate(folds.repeats)}
        made.append((configuration, by_repeat))
    return made, folds, target


def test_independent_errors_are_averaged():
    made, folds, target = candidates([20, 20, 20])
    recipe = choose(made, folds, "spearman_correlation", target)
    assert len(recipe.members) == 3
    assert sum(weight for _, weight in recipe.members) == pytest.approx(1)


def test_one_model_is_enough_where_the_others_add_nothing():
    made, folds, target = candidates([1, 60, 60])
    recipe = choose(made, folds, "spearman_correlation", target)
    assert [member.name for member, _ in recipe.members] == ["t0"]


def test_a_member_that_ruins_the_scale_is_kept_out():
    made, folds, target = candidates([20, 20])
    stretched, _, _ = candidates([20, 20, 20], scale=30.0)
    made.append((replace(PORTFOLIO[0], name="stretched", family="mlp"), stretched[2][1]))
    recipe = choose(made, folds, "spearman_correlation", target)
    assert recipe.weight("stretched") == 0


def test_a_recipe_is_reduced_with_weights_that_sum_to_one():
    a, b, c = (Configuration(name, "ridge", "raw", "none") for name in "abc")
    recipe = Recipe(((a, 0.5), (b, 0.25), (c, 0.25))).only(["a", "c"])
    assert recipe.weight("a") == pytest.approx(2 / 3)
    assert recipe.blend({"a": np.array([3.0]), "c": np.array([0.0])})[0] == pytest.approx(2)
