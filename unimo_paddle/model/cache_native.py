"""A step in one C++ operator: float32 on a CPU. Letters as in cache.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

from unimo_paddle.model.cache_plain import FIRST_ROOM, fused
from unimo_paddle.model.cache_rows import Rows
from unimo_paddle.model.heads import LanguageHead
from unimo_paddle.model.layers import EncoderLayer
from unimo_paddle.operators.token_step import Packed, pack, token_step


class NativeSteps:
    """See cache.Steps. The weights are copied, in the order that the operator reads them."""

    def __init__(self, layers: Sequence[EncoderLayer], head: LanguageHead, table: Tensor) -> None:
        matrices, vectors = [], []
        for layer in layers:
            weight, bias = fused(layer)
            parts = (layer.output, layer.ffn_in, layer.ffn_out)
            matrices += [pack(weight), *(pack(part.weight) for part in parts)]
            norms = (layer.attention_norm, layer.ffn_norm)
            vectors += [bias, *(part.bias for part in parts), *(x for norm in norms for x in (norm.weight, norm.bias))]
        matrices += [pack(head.transform.weight), pack(table, turned=True)]
        vectors += [head.transform.bias, head.norm.weight, head.norm.bias, head.bias]
        self._model = Packed(matrices, vectors, layers[0].heads, float(head.norm._epsilon))
        self._sources: list[tuple[Tensor, Tensor]] = []
        self._bias = paddle.zeros([0, 0])
        self._kept: list[Tensor] = []

    def begin(self, sources: list[tuple[Tensor, Tensor]], bias: Tensor) -> None:
        self._sources, self._bias = sources, bias
        self._kept = self._room(FIRST_ROOM * len(bias))

    def logits(self, x: Tensor, rows: Rows) -> NDArray[np.float32]:
        while rows.used > self._kept[0].shape[0]:
            more = self._room(self._kept[0].shape[0])
            self._kept = [paddle.concat(pair) for pair in zip(self._kept, more, strict=True)]
        places = paddle.to_tensor(rows.source), paddle.to_tensor(rows.slots)
        found: NDArray[np.float32] = token_step(x, self._model, self._sources, self._bias, *places, self._kept).numpy()
        return found

    def _room(self, slots: int) -> list[Tensor]:
        _, heads, _, depth = self._sources[0][0].shape
        return [paddle.empty([slots, 2 * heads * depth]) for _ in self._sources]
