"""Recall at K against hand-worked rankings, scikit-learn and the hypergeometric distribution of SciPy."""

import numpy as np
import pytest
from scipy.stats import hypergeom
from sklearn.metrics import top_k_accuracy_score

from unimo_paddle.metrics.retrieval import Ranked, chance, first_right, recall, scored_recall


def naive_rank(scores, is_positive):
    """Slow oracle: sort with wrong answers before right ones of the same score, find the first right one."""
    order = sorted(range(len(scores)), key=lambda c: (-scores[c], is_positive[c]))
    return next(rank for rank, c in enumerate(order, start=1) if is_positive[c])


def test_hand_worked_ranks():
    scores = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.2, 0.2, 0.2]])
    right = np.array([[True, False, False], [False, False, True], [False, True, False]])
    assert first_right(scores, right).tolist() == [1, 3, 3]  # the constant row loses every tie
    result = recall(scores, right, (1, 3))
    assert result.at == {1: pytest.approx(1 / 3), 3: 1.0}
    assert result.chance == {1: pytest.approx(1 / 3), 3: 1.0}
    assert result.mean_rank == pytest.approx(7 / 3)


def test_equals_the_slow_oracle_with_several_positives_and_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.integers(0, 5, size=(7, 11)).astype(float)
        right = rng.random((7, 11)) < 0.3
        right[:, 0] |= ~right.any(axis=1)
        got = first_right(scores, right)
        want = [naive_rank(row, mask) for row, mask in zip(scores, right, strict=True)]
        assert got.tolist() == want


@pytest.mark.parametrize("k", [1, 5])
def test_equals_scikit_learn_with_one_positive(k):
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(50, 20))
    answers = rng.integers(0, 20, size=50)
    right = np.arange(20)[None] == answers[:, None]
    want = top_k_accuracy_score(answers, scores, k=k, labels=range(20))
    assert recall(scores, right, (k,)).at[k] == pytest.approx(want)


@pytest.mark.parametrize(("positives", "candidates", "k"), [(1, 200, 1), (3, 200, 10), (5, 5, 2), (1, 3, 10)])
def test_chance_is_hypergeometric(positives, candidates, k):
    want = 1 - hypergeom.pmf(0, candidates, positives, min(k, candidates))
    assert chance(positives, candidates, k) == pytest.approx(want)


@pytest.mark.parametrize(
    ("scores", "right", "message"),
    [
        (np.zeros((2, 3)), np.ones((2, 2), bool), r"\(2, 3\)"),
        (np.full((1, 2), np.nan), np.ones((1, 2), bool), "2 of 2 scores"),
        (np.zeros((2, 2)), np.array([[True, False], [False, False]]), "query 1"),
    ],
)
def test_refuses_what_cannot_be_ranked(scores, right, message):
    with pytest.raises(ValueError, match=message):
        recall(scores, right, (1,))


def test_recall_gets_an_interval_over_images():
    """Five captions of an image that are all found or all missed are worth one observation, not five."""
    is_found = np.arange(100) < 40
    ranks = np.where(np.repeat(is_found, 5), 1, 9)
    captions = Ranked(ranks, np.repeat(np.arange(100), 5))
    got = scored_recall([captions], 5)
    assert (got.value, got.count) == (pytest.approx(40), 500)
    spread = 196 * np.sqrt(0.4 * 0.6 / 100)
    assert (got.low, got.high) == pytest.approx((40 - spread, 40 + spread), abs=2)


def test_mean_recall_is_the_mean_of_both_directions():
    captions = Ranked(np.array([1, 2, 1, 1]), np.array([7, 7, 9, 9]))
    images = Ranked(np.array([1, 3]), np.array([7, 9]))
    assert scored_recall([captions, images], 1).value == pytest.approx((75 + 50) / 2)
    assert scored_recall([captions, images], 3).value == 100
    with pytest.raises(ValueError, match=r"\[4, 0\] queries"):
        scored_recall([captions, Ranked(np.zeros(0, int), np.zeros(0, int))], 1)
