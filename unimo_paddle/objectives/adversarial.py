"""Adversarial training: small additions to the embeddings that make the loss worse (release, section 7).

VILLA (Gan et al. 2020) perturbs text and image apart and pulls the perturbed predictions to the clean ones; FreeLB (Zhu
et al. 2020) perturbs one of them, without that. B examples, N rows of a side, W width of its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo_paddle.objectives.terms import LossTerm, at_least_float32

LEAST_NORM = 1e-8
SIDES = {"both": ("text", "image"), "text": ("text",), "image": ("image",)}
_CHOICES = {"on": tuple(SIDES), "project": ("delta", "gradient"), "kl_over_steps": ("mean", "sum")}


@dataclass(frozen=True)
class AdversarialSettings:
    """steps: K passes over the same examples, each with deltas one ascent further; lr: length of an ascent; max_norm:
    longest delta of an example, 0 for any; init: length of the first one.

    on: both, or one side alone, which is FreeLB.  clean: beside the perturbed inputs those without deltas.  kl_weight:
    of the distance between clean and perturbed predictions; there is none without clean ones or on one side alone.
    project: delta keeps the delta within max_norm (VILLA); gradient, as the release does, shrinks it by max_norm / n
    where the gradient's length n is above max_norm.  kl_over_steps: mean over the passes (VILLA), or sum (release).

    Raises ValueError naming the setting that makes no sense.
    """

    steps: int = 4
    lr: float = 0.05
    max_norm: float = 0.4
    init: float = 0.4
    kl_weight: float = 1.0
    on: str = "both"
    clean: bool = True
    project: str = "delta"
    kl_over_steps: str = "mean"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is one of {', '.join(choices)}")
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; at least one pass is made")
        for name in ("lr", "max_norm", "init", "kl_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be below 0")

    @property
    def sides(self) -> tuple[str, ...]:
        return SIDES[self.on]

    @property
    def has_kl(self) -> bool:
        return self.on == "both" and self.clean and self.kl_weight > 0


def first_delta(is_valid: Tensor, width: int, init: float) -> Tensor:
    """Return float32 [B, N, W]: uniform in (-1, 1) times init / sqrt(valid rows * W), 0 in rows that are not valid.

    is_valid: bool [B, N], the rows to perturb.
    """
    valid = is_valid.astype("float32")
    size = (valid.sum(axis=1) * width).clip(min=1.0).sqrt()
    noise = paddle.uniform([*is_valid.shape, width], "float32", min=-1.0, max=1.0)
    return noise * (valid * (init / size).unsqueeze(1)).unsqueeze(2)


def next_delta(
    delta: Tensor, gradient: Tensor, is_valid: Tensor, settings: AdversarialSettings, share: float
) -> Tensor:
    """Return the delta one ascent further, float32 [B, N, W], without gradient.

    gradient: float [B, N, W], of the sum of the examples' losses by delta: an example's own does not depend on which
    others are beside it.  share: what turns it into the release's, of the mean divided by K; its length is what
    project="gradient" compares.
    """
    gradient = at_least_float32(gradient.detach()) * is_valid.astype("float32").unsqueeze(2)
    norm = _norms(gradient)
    moved = delta.detach() + settings.lr * gradient / norm.clip(min=LEAST_NORM)
    if not settings.max_norm:
        return moved
    length = _norms(moved) if settings.project == "delta" else norm * share
    return moved * (settings.max_norm / length.clip(min=LEAST_NORM)).clip(max=1.0)


def softmax_kl(clean: Tensor, perturbed: Tensor) -> LossTerm:
    """Sum over N rows of KL(p || q) + KL(q || p), in nats, of the two softmaxes; gradients go to both sides.

    clean, perturbed: logits, float [N, C].  Both together are the sum over C of (p - q) (log p - log q).
    """
    clean, perturbed = at_least_float32(clean), at_least_float32(perturbed)
    # F.log_softmax is a thousand times slower than this on a CPU.
    log_p = clean - paddle.logsumexp(clean, axis=1, keepdim=True)
    log_q = perturbed - paddle.logsumexp(perturbed, axis=1, keepdim=True)
    apart = (log_p.exp() - log_q.exp()) * (log_p - log_q)
    return LossTerm(apart.sum(), paddle.full([], clean.shape[0], "float32"))


def sigmoid_kl(clean: Tensor, perturbed: Tensor) -> LossTerm:
    """The same of answers that are each true or not: sum over N rows and C answers, float [N, C] logits."""
    clean, perturbed = at_least_float32(clean), at_least_float32(perturbed)
    apart = (F.sigmoid(clean) - F.sigmoid(perturbed)) * (clean - perturbed)
    return LossTerm(apart.sum(), paddle.full([], clean.shape[0], "float32"))


def _norms(x: Tensor) -> Tensor:
    """Return each example's length as one vector, float [B, 1, 1]. x: float [B, N, W]."""
    return (x * x).sum(axis=[1, 2], keepdim=True).sqrt()
