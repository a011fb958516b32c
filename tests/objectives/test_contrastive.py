"""The contrastive loss worked by hand, against its slow oracle, and at its edges."""

import math

import numpy as np
import paddle
import pytest

from tests.reference import objectives as oracle
from unimo_paddle.objectives.contrastive import cmcl, in_batch


def term_of(scores, positive, real, temperature=1.0):
    given = paddle.to_tensor(np.asarray(scores, np.float64))
    given.stop_gradient = False
    is_positive, is_real = (paddle.to_tensor(np.asarray(one, bool)) for one in (positive, real))
    term = cmcl(given, is_positive, is_real, temperature)
    term.sum.backward()
    return float(term.sum), float(term.count), given.grad.numpy()


def test_worked_by_hand():
    # exp(d): 2, 1 positive; 3 negative; one that fills up: -ln((2 + 1) / (2 + 1 + 3)) = ln 2
    scores = [[math.log(2), 0.0, math.log(3), 99.0]]
    loss, count, gradient = term_of(scores, [[1, 1, 0, 0]], [[1, 1, 1, 0]])
    assert (loss, count) == (pytest.approx(math.log(2)), 1)
    # softmax over all minus softmax over the positives
    np.testing.assert_allclose(gradient, [[2 / 6 - 2 / 3, 1 / 6 - 1 / 3, 3 / 6, 0]], atol=1e-12)


def test_retrieved_positives_stand_in_the_same_logarithm():
    # exp(d): the pair 1, a rewritten positive 2, negatives 3 and 6, a retrieved image 4, a retrieved text 2, a filler
    scores = [[math.log(power) for power in (1, 2, 3, 6, 4, 2, 50)]]
    loss, _, gradient = term_of(scores, [[1, 1, 0, 0, 1, 1, 1]], [[1, 1, 1, 1, 1, 1, 0]])
    assert loss == pytest.approx(-math.log((1 + 2 + 4 + 2) / (9 + 3 + 6)))
    assert loss == pytest.approx(oracle.contrast([math.log(d) for d in (1, 2, 4, 2)], [math.log(3), math.log(6)], 1.0))
    # the best positive is pulled hardest; the mean of one logarithm for each positive would pull the worst
    np.testing.assert_allclose(gradient, [[-1 / 18, -2 / 18, 3 / 18, 6 / 18, -4 / 18, -2 / 18, 0]], atol=1e-12)


def test_temperature_divides_the_scores():
    sharp = term_of([[1.0, 0.5]], [[1, 0]], [[1, 1]], temperature=0.1)[0]
    assert sharp == pytest.approx(math.log(1 + math.exp(-5)))
    with pytest.raises(ValueError, match=r"temperature is 0\.0"):
        term_of([[1.0]], [[1]], [[1]], temperature=0.0)


def test_a_pair_without_negatives_gives_zero_and_counts():
    loss, count, gradient = term_of([[3.0, 1.0], [0.0, 0.0]], [[1, 1], [1, 0]], [[1, 1], [1, 1]])
    assert (loss, count) == (pytest.approx(math.log(2)), 2)
    assert np.abs(gradient[0]).max() < 1e-12


def test_a_pair_of_fillers_gives_zero_and_does_not_count():
    loss, count, gradient = term_of([[3.0, 1.0], [2.0, 5.0]], [[1, 0], [1, 1]], [[0, 1], [0, 0]])
    assert (loss, count) == (0, 0)
    assert not gradient.any()


@pytest.mark.parametrize("far", [1e4, -1e4])
def test_extreme_scores_stay_finite(far):
    loss, _, gradient = term_of([[far, 0.0]], [[1, 0]], [[1, 1]], temperature=0.01)
    assert loss == pytest.approx(max(0.0, -far / 0.01))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("pairs, size", [(1, 1), (5, 2), (4, 9)])
def test_equals_the_oracle(pairs, size):
    rng = np.random.default_rng(size)
    scores = rng.normal(0, 2, (pairs, size))
    positive, real = rng.random((pairs, size)) < 0.4, rng.random((pairs, size)) < 0.7
    positive[:, 0] = real[:-1, 0] = True
    expected, pairs_that_count = oracle.cmcl(scores, positive, real, 0.3)
    assert term_of(scores, positive, real, 0.3)[:2] == (pytest.approx(expected, rel=1e-9), pairs_that_count)


def test_in_batch_by_hand():
    # Two images, two texts, each of its own image; tau 1. Rows are images.
    scores = paddle.to_tensor([[2.0, 0.0], [1.0, 3.0]])
    right = paddle.to_tensor([[True, False], [False, True]])
    term = in_batch(scores, scores.T, right, 1.0)
    by_image = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-2))  # 2 against 0, 3 against 1
    by_text = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3))   # 2 against 1, 3 against 0
    assert float(term.sum) == pytest.approx(by_image + by_text, rel=1e-6)
    assert float(term.count) == 4.0


def test_in_batch_does_not_punish_another_caption_of_the_same_image():
    scores = paddle.to_tensor([[1.0, 5.0, 0.0], [5.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    same = paddle.to_tensor([[True, True, False], [True, True, False], [False, False, True]])
    raised = paddle.to_tensor([[1.0, 9.0, 0.0], [9.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    assert float(in_batch(raised, raised.T, same, 1.0).sum) < float(in_batch(scores, scores.T, same, 1.0).sum)
