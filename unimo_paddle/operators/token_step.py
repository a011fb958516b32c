"""One token of each text through a whole model in one operator: float32 on a CPU, for generation.

N texts, H width, A heads, D = H / A, V vocabulary, C slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paddle import Tensor

from unimo_paddle.operators.library import call
from unimo_paddle.operators.native import require_native


@dataclass(frozen=True)
class Packed:
    """A model as source/token_step.cc reads it. matrices: of pack(); vectors: biases and LayerNorms."""

    matrices: list[Tensor]
    vectors: list[Tensor]
    heads: int
    epsilon: float


def pack(weight: Tensor, turned: bool = False) -> Tensor:
    """Return float32 [ceil(N / 16), K, 16], panels of weight: float32 [K, N], or [N, K] when it is turned."""
    require_native(weight)
    packed: Tensor = call("pack", weight, turned)[0]
    return packed


def token_step(
    x: Tensor,
    model: Packed,
    sources: Sequence[tuple[Tensor, Tensor]],
    hidden: Tensor,
    source: Tensor,
    slots: Tensor,
    kept: list[Tensor],
) -> Tensor:
    """Return the logits, float32 [N, V], of x: float32 [N, H], and write this token's keys and values into `kept`.

    sources: of each layer the keys and values, float32 [B, A, S, D]; hidden: float32 [B, S], added to their scores;
    source: int64 [N], ascending; slots: int64 [N, t], of each text's tokens, this one's last; kept: of each layer
    float32 [C, 2H], keys beside values of the slots.
    """
    require_native(x)
    keys, values = map(list, zip(*sources, strict=True))
    logits: Tensor = call("token_step", x, model.matrices, model.vectors, keys, values, hidden, source, slots, kept,
                          model.heads, model.epsilon)[0]  # fmt: skip
    return logits
