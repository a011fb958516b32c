"""Circle loss worked by hand, against its slow oracle, at its edges."""

import math

import numpy as np
import paddle
import pytest

from tests.reference import task_objectives as oracle
from unimo_paddle.objectives.circle import CircleSettings, circle


def test_worked_by_hand():
    # m 0.2, g 1. s_p 0.8 sits at its margin: exp(0) whatever its weight. s_n 0.2 at its own: exp(0) again.
    term = circle(paddle.to_tensor([[0.8, 0.2, 0.2]]), CircleSettings())
    assert float(term.sum) == pytest.approx(math.log(2), rel=1e-6)
    # s_p 0.2: a_p 1, exp(-1 * (0.2 - 0.8)); wrong image 1.2: a_n 1.4, exp(1.4 * 1); wrong caption -0.2: a_n 0, exp(0)
    term = circle(paddle.to_tensor([[0.2, 1.2, -0.2]]), CircleSettings())
    by_image, by_caption = math.log(1 + math.exp(1.4 + 0.6)), math.log(1 + math.exp(0.6))
    assert float(term.sum) == pytest.approx((by_image + by_caption) / 2, rel=1e-6)
    assert float(term.count) == 1.0


def test_weights_carry_no_gradient():
    scores = paddle.to_tensor([[0.2, 1.2, -0.2]])
    scores.stop_gradient = False
    circle(scores, CircleSettings()).sum.backward()
    by_image, by_caption = 1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(-0.6))
    # a_p is 1 and a_n 1.4: the softplus' slope times the weight, halved
    expected = [-(by_image + by_caption) / 2, 1.4 * by_image / 2, 0.0]
    np.testing.assert_allclose(scores.grad.numpy()[0], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("settings", [CircleSettings(), CircleSettings(margin=0.4, scale=3.0)])
@pytest.mark.parametrize("captions, wrong", [(1, 1), (5, 10)])
def test_equals_the_oracle(captions, wrong, settings):
    scores = np.random.default_rng(wrong).normal(0, 1.5, (captions, 1 + 2 * wrong))
    term = circle(paddle.to_tensor(scores), settings)
    assert float(term.sum) == pytest.approx(oracle.circle(scores, settings.margin, settings.scale), rel=1e-9)
    assert float(term.count) == captions


def test_scores_without_bounds_stay_finite():
    scores = paddle.to_tensor([[-50.0, 60.0, 60.0], [50.0, -60.0, -60.0]])
    scores.stop_gradient = False
    term = circle(scores, CircleSettings())
    term.sum.backward()
    # in the exponent; beyond the margins all weights of the second caption are 0, which leaves log(1 + exp(0))
    assert float(term.sum) == pytest.approx(60.2 * 59.8 + 51.2 * 50.8 + math.log(2), rel=1e-6)
    assert np.isfinite(scores.grad.numpy()).all()


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_odd_numbers_of_columns_are_wanted(columns):
    with pytest.raises(ValueError, match=f"{columns} columns"):
        circle(paddle.zeros([1, columns]), CircleSettings())


def test_the_scale_is_above_zero():
    with pytest.raises(ValueError, match="scale is 0"):
        CircleSettings(scale=0)
