"""Losses of numbers and of answers, worked by hand and against the slow oracle."""

import math

import numpy as np
import paddle
import pytest

from tests.reference import task_objectives as oracle
from unimo_paddle.objectives.understanding import soft_answers, squared_error


def test_squared_error_by_hand():
    term = squared_error(paddle.to_tensor([1.5, 4.0]), paddle.to_tensor([1.0, 5.0]))
    assert (float(term.sum), float(term.count), float(term.mean())) == (1.25, 2.0, 0.625)


def test_soft_answers_by_hand():
    # probabilities 1/2 and 3/4, targets 0.3 and 1: ln 2 and ln 4/3; one question
    term = soft_answers(paddle.to_tensor([[0.0, math.log(3)]]), paddle.to_tensor([[0.3, 1.0]]))
    assert float(term.sum) == pytest.approx(math.log(2) + math.log(4 / 3), rel=1e-6)
    assert float(term.count) == 1.0


@pytest.mark.parametrize("questions, answers", [(1, 1), (4, 7)])
def test_soft_answers_equal_the_oracle(questions, answers):
    rng = np.random.default_rng(answers)
    logits, targets = rng.normal(0, 3, (questions, answers)), rng.random((questions, answers))
    term = soft_answers(paddle.to_tensor(logits), paddle.to_tensor(targets))
    assert float(term.sum) == pytest.approx(oracle.soft_answers(logits, targets), rel=1e-9)
    assert float(term.count) == questions


def test_half_precision_is_summed_as_float32():
    term = squared_error(paddle.full([2], 300.0, "float16"), paddle.zeros([2]))
    assert float(term.sum) == 180000.0  # above float16's largest number


def test_large_logits_stay_finite():
    term = soft_answers(paddle.to_tensor([[1e4, -1e4]]), paddle.to_tensor([[0.0, 0.0]]))
    assert float(term.sum) == pytest.approx(1e4)
