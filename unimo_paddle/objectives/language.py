"""Language learning: predict hidden words, in both directions or left to right (paper, section 4)."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo_paddle.objectives.terms import LossTerm, at_least_float32


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> LossTerm:
    """Sum over M tokens of the cross-entropy in nats against (1 - smoothing) * onehot + smoothing / V.

    logits: float [M, V]; targets: int64 [M]; M may be 0. The released seq2seq tasks smooth by 0.1 (section 6),
    pretraining not at all.
    """
    logits = at_least_float32(logits)
    count = paddle.full([], targets.shape[0], "float32")
    loss = F.cross_entropy(logits, targets, reduction="sum")
    if smoothing:
        # F.log_softmax is a thousand times slower than this on a CPU.
        uniform = (paddle.logsumexp(logits, axis=1) - logits.mean(axis=1)).sum()
        loss = (1.0 - smoothing) * loss + smoothing * uniform
    return LossTerm(loss, count)
