"""What each position attends to, for a person to look at."""

from __future__ import annotations

from typing import Any

import paddle.nn.functional as F
from paddle import Tensor, matmul

from unimo_paddle.model.inputs import Inputs
from unimo_paddle.model.layers import EncoderLayer
from unimo_paddle.model.unimo import Unimo


def last_attention(encoder: Unimo, seqs: Inputs) -> Tensor:
    """Return the last layer's attention, mean over its heads: float [B, S, S], reader, then read; rows sum to 1.

    The weights never leave the layer in training, so they are computed again here, from what the layer was given.
    """
    given: list[tuple[Tensor, Tensor]] = []

    def note(layer: Any, inputs: tuple[Tensor, Tensor]) -> None:
        given.append(inputs)

    layer = encoder.layers[-1]
    hook = layer.register_forward_pre_hook(note)
    try:
        encoder(seqs)
    finally:
        hook.remove()
    return attention_weights(layer, *given[0]).mean(axis=1)


def attention_weights(layer: EncoderLayer, x_BSH: Tensor, bias_BASS: Tensor) -> Tensor:
    """Return float [B, A, S, S] before dropout, as EncoderLayer.attend has them."""
    query = layer.split_heads(layer.query(x_BSH) * (x_BSH.shape[2] // layer.heads) ** -0.5)
    return F.softmax(matmul(query, layer.split_heads(layer.key(x_BSH)), transpose_y=True) + bias_BASS)
