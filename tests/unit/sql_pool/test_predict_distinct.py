"""Scoring each distinct vector once: the same results, fewer of them worked out, bounded memory."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bikecast.embedded.sql_pool import Limits
from bikecast.embedded.sql_pool.predict import distinct as predict_distinct
from bikecast.embedded.sql_pool.predict.distinct import DistinctVectors

KINDS = ("float32", "int64", "int32", "float64", "object")


class Counting:
    """A scoring function of any columns that counts its rows."""

    def __init__(self):
        self.rows = 0

    def __call__(self, columns):
        self.rows += len(columns[0])
        digests = [hash(tuple(repr(value) for value in row)) for row in zip(*columns, strict=True)]
        whole = np.array(digests, np.int64)
        return [whole.view(np.float64), (whole >> 32).astype(np.int32)]


def distinct(kinds, score, most=Limits.remembered_vectors):
    outputs = [np.dtype("float64"), np.dtype("int32")]
    return DistinctVectors([np.dtype(kind) for kind in kinds], outputs, score, most)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.tobytes() == other.tobytes()


def column(kind, rows):
    if kind == "object":
        return st.lists(
            st.sampled_from(["", "a", "A", "é", "a "]), min_size=rows, max_size=rows
        ).map(lambda texts: np.array(texts, object))
    if kind.startswith("float"):
        values = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, np.nan, np.inf, 1e-30])
    else:
        values = st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)])
    return hnp.arrays(kind, rows, elements=values)


@given(st.data())
def test_results_are_those_of_the_scoring_function(data):
    kinds = data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    scorer = distinct(kinds, Counting())
    for _ in range(3):
        rows = data.draw(st.integers(1, 20))
        columns = [data.draw(column(kind, rows)) for kind in kinds]
        assert_same(scorer(columns), Counting()(columns))


def test_each_distinct_vector_is_scored_once():
    score = Counting()
    scorer = distinct(["float32"] * 3, score)
    pool = np.random.default_rng(0).random((5000, 3), dtype=np.float32)
    for seed in range(20):
        rows = pool[np.random.default_rng(seed).integers(0, 5000, 2048)]
        columns = [np.ascontiguousarray(part) for part in rows.T]
        assert_same(scorer(columns), Counting()(columns))
    assert score.rows <= 5000


def test_a_vector_of_zeros_is_not_taken_for_an_empty_place():
    score = Counting()
    scorer = distinct(["float32"], score)
    zeros = [np.zeros(3, np.float32)]
    assert_same(scorer(zeros), Counting()(zeros))
    assert score.rows == 1


def test_vectors_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(
        DistinctVectors, "_hash", lambda self, matrix: np.zeros(len(matrix), np.uint64)
    )
    scorer = distinct(["int64"], Counting())
    for _ in range(3):
        columns = [np.arange(100) % 7]
        assert_same(scorer(columns), Counting()(columns))


@pytest.mark.parametrize(("most", "most_bytes"), [(10, 2**20), (1000, 80)])
def test_more_vectors_than_fit_are_scored_each_time(monkeypatch, most, most_bytes):
    monkeypatch.setattr(predict_distinct, "MAX_BYTES", most_bytes)
    scorer = distinct(["int64"], Counting(), most)
    for _ in range(3):
        columns = [np.arange(1000) % 500]
        assert_same(scorer(columns), Counting()(columns))


@pytest.mark.parametrize(
    ("period", "active", "scored"),
    [(10**9, False, 20_000), (100, True, 100), (1500, True, 1500), (3000, True, 7000)],
)
def test_look_ups_rest_while_no_vector_repeats_and_end_where_none_does(
    monkeypatch, period, active, scored
):
    monkeypatch.setattr(predict_distinct, "TRIAL", 2000)
    monkeypatch.setattr(predict_distinct, "WINDOW", 10_000)
    score = Counting()
    scorer = distinct(["int64"], score)
    for first in range(0, 20_000, 500):
        columns = [np.arange(first, first + 500) % period]
        assert_same(scorer(columns), Counting()(columns))
    assert scorer.active is active
    assert score.rows == scored


@pytest.mark.parametrize("value", range(16))
def test_look_ups_begin_again_where_few_vectors_follow_many(monkeypatch, value):
    monkeypatch.setattr(predict_distinct, "TRIAL", 2000)
    score = Counting()
    scorer = distinct(["int64"], score)
    scorer([np.arange(2000)])
    for _ in range(6):
        scorer([np.full(500, -1 - value)])
    assert score.rows == 2000 + 2000 + 1


def test_look_ups_end_where_no_vector_repeats_and_the_table_is_full(monkeypatch):
    monkeypatch.setattr(predict_distinct, "TRIAL", 2000)
    scorer = distinct(["int64"], Counting(), 1000)
    scorer([np.arange(2000)])
    assert not scorer.active


def test_a_column_of_too_many_texts_ends_the_look_ups():
    scorer = distinct(["object"], Counting(), 100)
    for first in range(0, 1000, 100):
        columns = [np.array([str(i) for i in range(first, first + 100)], object)]
        assert_same(scorer(columns), Counting()(columns))
    assert not scorer.active


def test_threads_may_share_a_scorer():
    scorer = distinct(["int64", "float32"], Counting())
    wrong = []

    def work(seed):
        draw = np.random.default_rng(seed)
        for _ in range(30):
            columns = [draw.integers(0, 40, 300), draw.integers(0, 40, 300).astype(np.float32)]
            for one, other in zip(scorer(columns), Counting()(columns), strict=True):
                if one.tobytes() != other.tobytes():
                    wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
