"""Self-critical sequence training: sampled texts that beat the model's own best guess become likelier (Rennie et al.
2017)."""

from __future__ import annotations

from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo_paddle.objectives.terms import LossTerm, at_least_float32


@dataclass(frozen=True)
class RewardSettings:
    """samples: texts drawn for each input; temperature: that the logits are divided by, which makes the policy.

    Raises ValueError naming the setting that makes no sense.
    """

    samples: int = 1
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}; at least 1 is wanted")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")


def self_critical(logits: Tensor, tokens: Tensor, sample_of: Tensor, advantages: Tensor) -> LossTerm:
    """Sum over N sampled texts of -advantage * log probability of the text; its mean's gradient is an estimate, without
    bias, of that of minus the expected reward.

    logits: float [M, V], of the policy, and tokens: int64 [M], of all samples' tokens; sample_of: int64 [M], the sample
    that each token is of; advantages: float [N], reward of a sample less that of the greedy text of its input.
    """
    surprise = F.cross_entropy(at_least_float32(logits), tokens, reduction="none").reshape([-1])
    weighted = surprise * paddle.gather(advantages, sample_of)
    return LossTerm(weighted.sum(), paddle.full([], advantages.shape[0], "float32"))
