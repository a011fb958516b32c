"""The model one token at a time: sources are encoded once, and of each token only what later ones read is kept.

CachedDecoder is what unimo_paddle.generation drives. B sources of S positions, N rows (texts that go on), t tokens of
each so far, H width, A heads, D = H / A, V vocabulary, C slots.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

from unimo_paddle.model.attention_mask import HIDDEN, additive_bias, attention_mask
from unimo_paddle.model.cache_native import NativeSteps
from unimo_paddle.model.cache_plain import PlainSteps
from unimo_paddle.model.cache_rows import Rows
from unimo_paddle.model.heads import LanguageHead
from unimo_paddle.model.inputs import Inputs
from unimo_paddle.model.unimo import Unimo

Ints = NDArray[np.int64]


class Steps(Protocol):
    """The layers and the language head for one token of each row; plain and native ones exist."""

    def begin(self, sources: list[tuple[Tensor, Tensor]], bias: Tensor) -> None:
        """Take the sources' keys and values of each layer, float [B, A, S, D] each; bias: float [B, S], added to the
        scores. Texts of before are forgotten."""

    def logits(self, x: Tensor, rows: Rows) -> NDArray[np.float32]:
        """Return float32 [N, V], what follows the tokens of states x, float [N, H], whose keys and values are kept
        in the slots that rows names."""


class CachedDecoder:
    """A Stepper (unimo_paddle/generation) over the encoder and the language head as they are now.

    Weights are copied where that is faster: make it anew when they have changed. It computes as in evaluation, whatever
    mode the model is in, and by native operators where the encoder does.
    """

    def __init__(self, encoder: Unimo, language_head: LanguageHead) -> None:
        self._encoder = encoder
        table = encoder.word_embedding.weight
        kind: type[PlainSteps] | type[NativeSteps] = NativeSteps if encoder.operators == "native" else PlainSteps
        with paddle.no_grad():
            self._steps: Steps = kind(list(encoder.layers), language_head, table)
        self._rows = Rows(0)

    @property
    def inputs(self) -> int:
        """The number of sources."""
        return self._rows.inputs

    def start(self, seqs: Inputs) -> CachedDecoder:
        """Read the sources, all that is before the target: image, tags, text; return self, with one row for each."""
        encoder, was_training = self._encoder, self._encoder.training
        encoder.eval()
        with paddle.no_grad():
            bias = seqs.is_pad.astype(encoder.word_embedding.weight.dtype) * HIDDEN
            self._steps.begin(_keys_values(encoder, seqs), bias)
        if was_training:
            encoder.train()
        self._rows = Rows(len(seqs.is_pad))
        return self

    def step(self, tokens: Ints, position: int) -> NDArray[np.float32]:
        """See generation.Stepper."""
        self._rows.add()
        with paddle.no_grad():
            positions = paddle.full([len(tokens)], position, "int64")
            x = self._encoder.embed_text(paddle.to_tensor(tokens), positions)
            return self._steps.logits(x, self._rows)

    def keep(self, parents: Ints) -> None:
        """See generation.Stepper."""
        self._rows.keep(parents)


def _keys_values(encoder: Unimo, seqs: Inputs) -> list[tuple[Tensor, Tensor]]:
    """Return each layer's keys and values of the sources, float [B, A, S, D]; the last layer makes nothing else."""
    x_BSH = encoder.embed(seqs)
    mask = attention_mask(seqs.reach, seqs.is_pad, seqs.group)
    bias_BASS = additive_bias(mask, encoder.heads, x_BSH.dtype)
    found = []
    for number, layer in enumerate(encoder.layers):
        found.append(layer.keys_values(x_BSH))
        if number + 1 < len(encoder.layers):
            x_BSH = layer.finish(layer.mix(layer.queries(x_BSH), *found[-1], bias_BASS), x_BSH)
    return found
