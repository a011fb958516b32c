"""Sums and counts add up to the loss of the whole."""

import paddle
import pytest

from unimo_paddle.objectives.contrastive import cmcl
from unimo_paddle.objectives.language import cross_entropy
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.objectives.visual import classification, regression


def test_parts_add_to_the_whole():
    paddle.seed(0)
    logits, targets = paddle.randn([5, 4]), paddle.to_tensor([0, 3, 1, 1, 2])
    whole = cross_entropy(logits, targets)
    parts = cross_entropy(logits[:1], targets[:1]) + cross_entropy(logits[1:], targets[1:])
    assert float(parts.count) == float(whole.count) == 5
    assert abs(float(parts.mean()) - float(whole.mean())) < 1e-6


def test_mean_divides_once_and_survives_nothing():
    assert float(LossTerm(paddle.to_tensor(6.0), paddle.to_tensor(4.0)).mean()) == 1.5
    assert float(LossTerm(paddle.to_tensor(0.0), paddle.to_tensor(0.0)).mean()) == 0


def test_losses_of_half_precision_are_computed_in_float32():
    """300 ** 2 and exp(30 / 0.5) are beyond float16's largest number, 65,504."""
    half = paddle.to_tensor([[300.0, -300.0]]).astype("float16")
    assert float(regression(half, paddle.zeros([1, 2])).sum) == 90_000
    assert float(classification(half, paddle.to_tensor([[0.0, 1.0]])).sum) == 600
    assert float(cross_entropy(half / 10, paddle.to_tensor([1])).sum) == pytest.approx(60)  # Paddle's ends at 64
    scores = paddle.to_tensor([[0.0, 30.0, 0.0]]).astype("float16")
    flags = paddle.to_tensor([[True, False, False]]), paddle.to_tensor([[True, True, False]])
    assert float(cmcl(scores, *flags, 0.5).sum) == pytest.approx(60.0)
