"""Cross-modal contrastive learning: true, rewritten and retrieved pairs against hard negatives (paper, section 2)."""

from __future__ import annotations

import paddle
from paddle import Tensor

from unimo_paddle.objectives.terms import LossTerm, at_least_float32

ABSENT = -1e30   # exp() of it is 0; unlike -inf it leaves no NaN in the gradient of a row that is absent altogether


def cmcl(scores: Tensor, is_positive: Tensor, is_real: Tensor, temperature: float) -> LossTerm:
    """Sum over B pairs of -log(sum over positives of exp(d / t) / sum over all of exp(d / t)): one logarithm a pair.

    scores: float [B, G], d of the G candidates of each pair, encoded jointly (rewritten) or apart (retrieved);
    is_positive, is_real: bool [B, G]. A candidate that is not real fills the row up and counts nowhere. A pair without
    negatives gives 0 and is counted; a pair without any real positive gives 0 and is not. Raises ValueError when
    temperature is not above 0.
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    scores = at_least_float32(scores)
    absent = paddle.full_like(scores, ABSENT)
    scaled = paddle.where(is_real, scores / temperature, absent)
    positive = is_positive & is_real
    of_positives = paddle.logsumexp(paddle.where(positive, scaled, absent), axis=1)
    counts = positive.any(axis=1).astype(scores.dtype)
    loss = (paddle.logsumexp(scaled, axis=1) - of_positives) * counts
    return LossTerm(loss.sum(), counts.sum())


def in_batch(of_images: Tensor, of_texts: Tensor, belongs: Tensor, temperature: float) -> LossTerm:
    """The same loss with the step's other pairs as negatives: each image against all texts, each text against all
    images. Not in the paper; it aligns the two encoders from scratch, where hard negatives alone start slowly.

    of_images, of_texts: float [B, W], this rank's B images with the texts of all W pairs of the step, and its B texts
    with all images, encoded apart; belongs: bool [B, W], pair b and pair j may be swapped.
    """
    all_real = paddle.ones_like(belongs)
    return cmcl(of_images, belongs, all_real, temperature) + cmcl(of_texts, belongs, all_real, temperature)
