"""Visual learning: predict hidden regions, their features and what the detector saw in them (paper, section 3)."""

from __future__ import annotations

import paddle
from paddle import Tensor

from unimo_paddle.objectives.terms import LossTerm, at_least_float32


def regression(predicted: Tensor, features: Tensor) -> LossTerm:
    """Sum over K regions of the squared error, averaged over the D numbers of a feature.

    predicted, features: float [K, D]; K may be 0. The paper says squared error and leaves the scale open. Summed
    over 2048 numbers it would be hundreds of times the word loss and drown it, and its weight would change with the
    detector; the mean over D keeps it of the order of the features' variance for every detector.
    """
    squared = (at_least_float32(predicted) - features).square().mean(axis=1)
    return LossTerm(squared.sum(), paddle.full([], features.shape[0], "float32"))


def classification(logits: Tensor, class_probs: Tensor) -> LossTerm:
    """Sum over K regions of the cross-entropy, in nats, against the detector's own distribution (soft labels).

    logits, class_probs: float [K, C], rows of class_probs sum to 1; K may be 0.
    """
    logits = at_least_float32(logits)
    log_probs = logits - paddle.logsumexp(logits, axis=1, keepdim=True)
    return LossTerm(-(class_probs * log_probs).sum(), paddle.full([], class_probs.shape[0], "float32"))
