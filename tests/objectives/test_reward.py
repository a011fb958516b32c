"""Self-critical loss by hand, and its gradient against the expectation it estimates."""

import math

import numpy as np
import paddle
import pytest

from unimo_paddle.objectives.reward import RewardSettings, self_critical


def test_worked_by_hand():
    # sample 0: tokens of probability 3/4 and 1/2, advantage 2; sample 1: one token of 1/4, advantage -1
    logits = paddle.to_tensor([[0.0, math.log(3)], [1.0, 1.0], [0.0, math.log(3)]])
    term = self_critical(
        logits, paddle.to_tensor([1, 0, 0]), paddle.to_tensor([0, 0, 1]), paddle.to_tensor([2.0, -1.0])
    )
    assert float(term.sum) == pytest.approx(-2 * math.log(3 / 8) + math.log(1 / 4), rel=1e-6)
    assert float(term.count) == 2.0


def test_its_mean_gradient_is_that_of_the_expected_reward():
    """Texts of one token: the expectation over all of them is computed outright."""
    values, rewards = np.array([0.3, -0.2, 0.9]), np.array([1.0, 0.5, 0.2])
    policy = np.exp(values) / np.exp(values).sum()
    rng = np.random.default_rng(0)
    drawn = rng.choice(3, 20000, p=policy)
    logits = paddle.to_tensor(values)
    logits.stop_gradient = False
    advantages = paddle.to_tensor(rewards[drawn] - rewards[2])
    each = paddle.expand(logits.unsqueeze(0), [len(drawn), 3])
    self_critical(each, paddle.to_tensor(drawn), paddle.arange(len(drawn)), advantages).mean().backward()
    expected = policy * (rewards - policy @ rewards)  # of the expected reward, upwards
    np.testing.assert_allclose(-logits.grad.numpy(), expected, atol=0.01)


@pytest.mark.parametrize("wrong, message", [({"samples": 0}, "samples is 0"), ({"temperature": 0}, "temperature is 0")])
def test_settings_without_sense_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        RewardSettings(**wrong)
