"""Cross-entropy worked by hand and against its slow oracle."""

import math

import numpy as np
import paddle
import pytest

from tests.reference import objectives as oracle
from unimo_paddle.objectives.language import cross_entropy


def test_worked_by_hand():
    # probabilities 1/4, 3/4 and 1/2, 1/2: -ln 3/4 - ln 1/2 = ln 8/3
    logits = paddle.to_tensor([[0.0, math.log(3)], [2.0, 2.0]])
    term = cross_entropy(logits, paddle.to_tensor([1, 0]))
    assert float(term.sum) == pytest.approx(math.log(8 / 3), rel=1e-6)
    assert float(term.count) == 2


def test_smoothing_worked_by_hand():
    # target weights 0.95 and 0.05 on probabilities 3/4 and 1/4
    logits = paddle.to_tensor([[0.0, math.log(3)]])
    term = cross_entropy(logits, paddle.to_tensor([1]), smoothing=0.1)
    assert float(term.sum) == pytest.approx(-0.95 * math.log(3 / 4) - 0.05 * math.log(1 / 4), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("rows, words", [(1, 2), (6, 11)])
def test_equals_the_oracle(rows, words, smoothing):
    rng = np.random.default_rng(rows)
    logits, targets = rng.normal(0, 3, (rows, words)), rng.integers(0, words, rows)
    term = cross_entropy(paddle.to_tensor(logits), paddle.to_tensor(targets), smoothing)
    expected = oracle.cross_entropy(logits, oracle.smoothed(targets, words, smoothing))
    assert float(term.sum) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_no_labels_give_zero_and_a_gradient(smoothing):
    source = paddle.ones([3, 4])
    source.stop_gradient = False
    logits = paddle.gather(source, paddle.zeros([0], "int64"))
    term = cross_entropy(logits, paddle.zeros([0], "int64"), smoothing)
    term.mean().backward()
    assert (float(term.sum), float(term.count)) == (0, 0)
    assert not source.grad.numpy().any()


def test_large_logits_stay_finite():
    term = cross_entropy(paddle.to_tensor([[1e4, -1e4]]), paddle.to_tensor([0]), smoothing=0.1)
    assert float(term.sum) == pytest.approx(0.05 * 2e4, rel=1e-5)
