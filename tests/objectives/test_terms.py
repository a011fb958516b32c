"""Sums and counts add up to the loss of the whole."""

import paddle

from unimo_paddle.objectives.language import cross_entropy
from unimo_paddle.objectives.terms import LossTerm


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
