"""Answers to inputs: a number, or any number of answers out of a vocabulary (release, section 6). One class of several
is language.cross_entropy()."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo_paddle.objectives.terms import LossTerm, at_least_float32


def squared_error(predicted: Tensor, targets: Tensor) -> LossTerm:
    """Sum over B examples of the squared difference; nothing is scaled (STS-B: 0 to 5).

    predicted, targets: float [B].
    """
    squared = (at_least_float32(predicted) - targets).square()
    return LossTerm(squared.sum(), paddle.full([], targets.shape[0], "float32"))


def soft_answers(logits: Tensor, targets: Tensor) -> LossTerm:
    """Sum over B questions and A answers of the binary cross-entropy, in nats, against soft scores.

    Questions are counted, so that the mean is VQA's usual one: summed over answers, averaged over questions.

    logits, targets: float [B, A], targets from 0 to 1.
    """
    crossed = F.binary_cross_entropy_with_logits(at_least_float32(logits), targets, reduction="sum")
    return LossTerm(crossed, paddle.full([], targets.shape[0], "float32"))
