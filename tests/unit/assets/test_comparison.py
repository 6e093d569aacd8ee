"""The paired comparison: sure of a real difference, unsure of noise."""

import numpy as np
import pytest

from assets.live_model.comparison import Contender, PromotionRules, compare

RULES = PromotionRules(resamples=400)
ROWS = 150


def contender(predicted, seen=False, rmse=None, spearman=None, learnt=None):
    return Contender(predicted, np.full(len(predicted), seen), rmse, spearman, learnt)


@pytest.fixture
def target():
    return np.random.default_rng(1).normal(100, 20, ROWS)


def noisy(target, sd, seed):
    return target + np.random.default_rng(seed).normal(0, sd, len(target))


def test_a_much_better_challenger_wins_and_a_much_worse_one_loses(target):
    good, bad = contender(noisy(target, 5, 2)), contender(noisy(target, 20, 3))
    assert compare(target, bad, good, {}, RULES).is_better
    assert compare(target, good, bad, {}, RULES).is_worse


def test_equal_predictions_are_neither_better_nor_worse(target):
    model = contender(noisy(target, 5, 2))
    found = compare(target, model, model, {}, RULES)
    assert not found.is_better
    assert not found.is_worse
    assert found.gain == 0


def test_chance_wins_in_about_one_of_forty(target):
    wins = 0
    for seed in range(80):
        old = contender(noisy(target, 10, 2 * seed + 100))
        new = contender(noisy(target, 10, 2 * seed + 101))
        wins += compare(target, old, new, {}, RULES).is_better
    assert wins <= 8


def test_rows_learnt_by_heart_count_as_the_held_back_rows_did(target):
    by_heart = contender(target.copy(), seen=True, rmse=12.0)
    honest = contender(noisy(target, 6, 2))
    found = compare(target, honest, by_heart, {}, RULES)
    assert found.challenger_rmse == pytest.approx(12.0)
    assert found.is_worse


def test_held_back_rows_that_were_harder_for_everybody_do_not_count_against_a_model(target):
    winter = contender(noisy(target, 6, 2), seen=True, rmse=6.0, learnt=5.0)
    summer = contender(noisy(target, 6, 2), seen=True, rmse=60.0, learnt=50.0)
    assert compare(target, winter, summer, {}, RULES).gain == pytest.approx(0)


def test_a_segment_that_gets_much_worse_breaks_a_floor(target):
    rain = np.arange(ROWS) % 3 == 0
    old, new = noisy(target, 10, 2), noisy(target, 2, 3)
    new[rain] = noisy(target, 30, 4)[rain]
    segments = {"weathersit": np.where(rain, 3, 1).tolist()}
    found = compare(target, contender(old), contender(new), segments, RULES)
    assert [entry.below_floor for entry in found.segments] == [False, True]
    assert "weathersit = 3" in found.broken_floors[0]
