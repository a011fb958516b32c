"""Deltas and divergences by hand and against the slow oracle."""

import math

import numpy as np
import paddle
import pytest

from tests.reference import task_objectives as oracle
from unimo_paddle.objectives.adversarial import (
    AdversarialSettings,
    first_delta,
    next_delta,
    sigmoid_kl,
    softmax_kl,
)


def test_first_deltas_have_the_releases_size():
    paddle.seed(3)
    valid = np.zeros((3, 50), bool)
    valid[0, :40], valid[1, 5:10] = True, True
    delta = first_delta(paddle.to_tensor(valid), 64, 0.4).numpy()
    assert not delta[~valid].any()
    for row, rows in ((0, 40), (1, 5)):
        bound = 0.4 / math.sqrt(rows * 64)
        assert bound * 0.95 < np.abs(delta[row]).max() <= bound
        # uniform in (-1, 1): a third of the square, so the whole is about init / sqrt(3) long
        assert np.linalg.norm(delta[row]) == pytest.approx(0.4 / math.sqrt(3), rel=0.1)


def moved(delta, gradient, settings, share=1.0, valid=None):
    delta, gradient = (paddle.to_tensor(np.asarray(one, np.float32)) for one in (delta, gradient))
    is_valid = paddle.ones(delta.shape[:2], "bool") if valid is None else paddle.to_tensor(valid)
    return next_delta(delta, gradient, is_valid, settings, share).numpy()


def test_an_ascent_by_hand():
    # the gradient 3, 4 is 5 long: 0.1 goes 0.06 and 0.08 far
    free = AdversarialSettings(lr=0.1, max_norm=0)
    np.testing.assert_allclose(moved([[[0.3, 0.4]]], [[[3, 4]]], free), [[[0.36, 0.48]]], rtol=1e-6)
    # the delta is 0.6 long then: back to 0.3
    kept = AdversarialSettings(lr=0.1, max_norm=0.3)
    np.testing.assert_allclose(moved([[[0.3, 0.4]]], [[[3, 4]]], kept), [[[0.18, 0.24]]], rtol=1e-6)
    # the release compares the gradient's length, 5 * share, and shrinks by it
    quirk = AdversarialSettings(lr=0.1, max_norm=0.3, project="gradient")
    np.testing.assert_allclose(moved([[[0.3, 0.4]]], [[[3, 4]]], quirk, 0.2), [[[0.108, 0.144]]], rtol=1e-6)
    np.testing.assert_allclose(moved([[[0.3, 0.4]]], [[[3, 4]]], quirk, 0.05), [[[0.36, 0.48]]], rtol=1e-6)


@pytest.mark.parametrize("project", ["delta", "gradient"])
def test_ascents_equal_the_oracle_example_by_example(project):
    rng = np.random.default_rng(1)
    delta, gradient = rng.normal(0, 0.2, (4, 3, 5)), rng.normal(0, 2, (4, 3, 5))
    gradient[2] = 0.0  # no direction: the delta stays
    valid = np.ones((4, 3), bool)
    valid[1, 2], delta[1, 2] = False, 0.0
    found = moved(delta, gradient, AdversarialSettings(lr=0.3, max_norm=0.9, project=project), 0.1, valid)
    gradient[1, 2] = 0.0
    for row in range(4):
        told = oracle.next_delta(delta[row].ravel(), gradient[row].ravel(), 0.3, 0.9, 0.1, project == "gradient")
        np.testing.assert_allclose(found[row].ravel(), told, rtol=1e-4, atol=1e-6)


def test_divergence_by_hand():
    # p 1/4, 3/4; q 1/2, 1/2: (p - q) (log p - log q)
    clean, perturbed = paddle.to_tensor([[0.0, math.log(3)]]), paddle.to_tensor([[1.0, 1.0]])
    term = softmax_kl(clean, perturbed)
    by_hand = -0.25 * math.log(0.5) + 0.25 * math.log(1.5)
    assert float(term.sum) == pytest.approx(by_hand, rel=1e-5)
    assert float(term.count) == 1.0
    # one answer: sigmoid 3/4 against 1/2
    term = sigmoid_kl(paddle.to_tensor([[math.log(3)]]), paddle.to_tensor([[0.0]]))
    assert float(term.sum) == pytest.approx(0.25 * math.log(3), rel=1e-5)


@pytest.mark.parametrize("name, kl", [("softmax_kl", softmax_kl), ("sigmoid_kl", sigmoid_kl)])
def test_divergences_equal_the_oracle_and_teach_both_sides(name, kl):
    rng = np.random.default_rng(2)
    sides = [paddle.to_tensor(rng.normal(0, 2, (5, 4))) for _ in range(2)]
    for side in sides:
        side.stop_gradient = False
    term = kl(*sides)
    term.sum.backward()
    assert float(term.sum) == pytest.approx(getattr(oracle, name)(*(side.numpy() for side in sides)), rel=1e-9)
    assert float(term.count) == 5
    assert all(np.abs(side.grad.numpy()).min() > 0 for side in sides)


def test_equal_predictions_are_not_apart():
    same = paddle.to_tensor([[1.0, -2.0, 0.5]])
    assert float(softmax_kl(same, same).sum) == float(sigmoid_kl(same, same).sum) == 0.0


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"on": "words"}, "on is 'words'; it is one of both, text, image"),
        ({"project": "norm"}, "project is 'norm'"),
        ({"kl_over_steps": "max"}, "kl_over_steps is 'max'"),
        ({"steps": 0}, "steps is 0"),
        ({"lr": -0.1}, "lr is -0.1"),
        ({"max_norm": -1.0}, "max_norm is -1.0"),
    ],
)
def test_settings_without_sense_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        AdversarialSettings(**wrong)


def test_one_side_alone_or_no_clean_inputs_have_no_divergence():
    assert AdversarialSettings().has_kl
    assert not any(AdversarialSettings(**one).has_kl for one in ({"on": "text"}, {"clean": False}, {"kl_weight": 0.0}))
