"""Region losses worked by hand and against their slow oracles."""

import math

import numpy as np
import paddle
import pytest

from tests.reference import objectives as oracle
from unimo_paddle.objectives.visual import classification, regression


def test_regression_worked_by_hand():
    predicted = paddle.to_tensor([[1.0, 2.0], [0.0, 0.0]])
    features = paddle.to_tensor([[0.0, 4.0], [3.0, 1.0]])
    term = regression(predicted, features)
    assert float(term.sum) == (1 + 4) / 2 + (9 + 1) / 2
    assert float(term.count) == 2


def test_classification_worked_by_hand():
    # the model says 1/4, 3/4; the detector says 0.4, 0.6
    term = classification(paddle.to_tensor([[0.0, math.log(3)]]), paddle.to_tensor([[0.4, 0.6]]))
    assert float(term.sum) == pytest.approx(-0.4 * math.log(1 / 4) - 0.6 * math.log(3 / 4), rel=1e-6)
    assert float(term.count) == 1


def test_agreeing_with_the_detector_costs_its_entropy_and_no_gradient():
    probs = paddle.to_tensor([[0.2, 0.3, 0.5]])
    logits = probs.log()
    logits.stop_gradient = False
    term = classification(logits, probs)
    term.sum.backward()
    assert float(term.sum) == pytest.approx(-sum(p * math.log(p) for p in (0.2, 0.3, 0.5)), rel=1e-6)
    assert np.abs(logits.grad.numpy()).max() < 1e-6


@pytest.mark.parametrize("regions, width", [(1, 1), (4, 9)])
def test_equal_the_oracles(regions, width):
    rng = np.random.default_rng(width)
    predicted, features = rng.normal(size=(2, regions, width))
    probs = rng.dirichlet(np.ones(width), regions)
    term = regression(paddle.to_tensor(predicted), paddle.to_tensor(features))
    assert float(term.sum) == pytest.approx(oracle.regression(predicted, features), rel=1e-9)
    term = classification(paddle.to_tensor(predicted), paddle.to_tensor(probs))
    assert float(term.sum) == pytest.approx(oracle.cross_entropy(predicted, probs), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", [regression, classification])
def test_no_regions_give_zero_and_a_gradient(loss):
    source = paddle.ones([3, 4])
    source.stop_gradient = False
    term = loss(paddle.gather(source, paddle.zeros([0], "int64")), paddle.zeros([0, 4]))
    term.mean().backward()
    assert (float(term.sum), float(term.count)) == (0, 0)
    assert not source.grad.numpy().any()
