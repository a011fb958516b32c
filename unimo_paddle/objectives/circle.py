"""Circle loss: a true pair above wrong images and wrong captions (release, section 6; Sun et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo_paddle.objectives.terms import LossTerm, at_least_float32


@dataclass(frozen=True)
class CircleSettings:
    """margin: a true pair should score above 1 - margin, a wrong one below it; scale: sharpness.

    Raises ValueError when the scale is not above 0.
    """

    margin: float = 0.2
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError(f"scale is {self.scale}; it must be above 0")


def circle(scores: Tensor, settings: CircleSettings) -> LossTerm:
    """Sum over B captions of the mean of two losses: against k wrong images, and against k wrong captions.

    scores: float [B, 1 + 2k], without bounds: the true pair's, those of k wrong images with the caption, those of k
    wrong captions with the image.  With s_p of the true pair, s_n of the wrong ones, m the margin, g the scale:

        log(1 + sum over n of exp(g a_n (s_n - m)) * exp(-g a_p (s_p - (1 - m))))
        a_p = relu(1 + m - s_p), a_n = relu(s_n + m), both without gradient

    as softplus of a log-sum-exp, for the exponentials of raw scores know no bound.  Raises ValueError when the
    number of columns is not 1 + 2k, k above 0.
    """
    columns = scores.shape[1]
    if columns < 3 or columns % 2 == 0:
        raise ValueError(f"scores has {columns} columns; a true pair and as many wrong images as captions are wanted")
    scores = at_least_float32(scores)
    true, wrong = scores[:, 0], scores[:, 1:].reshape([scores.shape[0], 2, columns // 2])
    weight_true = F.relu(1 + settings.margin - true.detach())
    weight_wrong = F.relu(wrong.detach() + settings.margin)
    pull = settings.scale * weight_true * (true - (1 - settings.margin))
    push = paddle.logsumexp(settings.scale * weight_wrong * (wrong - settings.margin), axis=2)
    loss = F.softplus(push - pull.unsqueeze(1)).mean(axis=1)
    return LossTerm(loss.sum(), paddle.full([], scores.shape[0], "float32"))
