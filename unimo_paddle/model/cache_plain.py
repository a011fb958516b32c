"""A step through Paddle's own operators, on any device. Letters as in cache.py; k beams of a source at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import Tensor

from unimo_paddle.model.cache_rows import Ints, Rows
from unimo_paddle.model.heads import LanguageHead
from unimo_paddle.model.layers import EncoderLayer

FIRST_ROOM = 64   # slots of a source; doubled when they are used up


def fused(layer: EncoderLayer) -> tuple[Tensor, Tensor]:
    """Return weight, [H, 3H], and bias, [3H], of query, key and value side by side, the query's scaled."""
    scale = (layer.query.weight.shape[0] // layer.heads) ** -0.5
    weights = (layer.query.weight * scale, layer.key.weight, layer.value.weight)
    return paddle.concat(weights, axis=1), paddle.concat([layer.query.bias * scale, layer.key.bias, layer.value.bias])


@dataclass
class _Layer:
    """One layer and what it keeps: keys, values: float [B', A, S, D], of the living sources; kept: float [C, 2H], keys
    beside values of the slots; weight, bias: of fused()"""

    layer: EncoderLayer
    weight: Tensor
    bias: Tensor
    keys: Tensor | None = None
    values: Tensor | None = None
    kept: Tensor | None = None


@dataclass(frozen=True)
class _Grid:
    """Rows laid out by source. places: int64 [N], where each is in the flat [B', k]; back: int64 [B' * k], which row is
    there, 0 where none; both None where all sources have k rows."""

    sources: int
    places: Tensor | None
    back: Tensor | None

    def lay(self, x: Tensor) -> Tensor:
        """Return [B', k, ..] of rows [N, ..]."""
        x = x if self.back is None else paddle.gather(x, self.back)
        return x.reshape([self.sources, -1, *x.shape[1:]])

    def take(self, x: Tensor) -> Tensor:
        """Return rows [N, ..] of [B', k, ..]."""
        x = x.reshape([-1, *x.shape[2:]])
        return x if self.places is None else paddle.gather(x, self.places)


class PlainSteps:
    """See cache.Steps."""

    def __init__(self, layers: Sequence[EncoderLayer], head: LanguageHead, table: Tensor) -> None:
        self._layers = [_Layer(layer, *fused(layer)) for layer in layers]
        self._head, self._table = head, table
        self._alive = np.zeros(0, np.int64)   # the sources whose keys and values are held
        self._bias = paddle.zeros([0, 0])

    def begin(self, sources: list[tuple[Tensor, Tensor]], bias: Tensor) -> None:
        self._alive, self._bias = np.arange(len(bias)), bias
        for own, (keys, values) in zip(self._layers, sources, strict=True):
            own.keys, own.values, own.kept = keys, values, None

    def logits(self, x: Tensor, rows: Rows) -> NDArray[np.float32]:
        grid = self._grid(rows.source)
        fresh = paddle.to_tensor(rows.slots[:, -1].copy())
        slots = paddle.to_tensor(rows.slots.reshape(-1))
        for own in self._layers:
            x = _finish(own.layer, self._attend(own, x, grid, fresh, slots, rows.used), x)
        found: NDArray[np.float32] = self._head(x, self._table).astype("float32").numpy()
        return found

    def _grid(self, source: Ints) -> _Grid:
        """Lay rows out by source, and let go of sources that have none any more."""
        alive, of, counts = np.unique(source, return_inverse=True, return_counts=True)
        if len(alive) < len(self._alive):
            still = paddle.to_tensor(np.searchsorted(self._alive, alive))
            self._bias, self._alive = paddle.gather(self._bias, still), alive
            for own in self._layers:
                own.keys, own.values = paddle.gather(own.keys, still), paddle.gather(own.values, still)
        most = int(counts.max())
        if (counts == most).all():
            return _Grid(len(alive), None, None)
        places = of * most + np.arange(len(of)) - (np.cumsum(counts) - counts)[of]
        back = np.zeros(len(alive) * most, np.int64)
        back[places] = np.arange(len(of))
        return _Grid(len(alive), paddle.to_tensor(places), paddle.to_tensor(back))

    def _attend(self, own: _Layer, x: Tensor, grid: _Grid, fresh: Tensor, slots: Tensor, used: int) -> Tensor:
        """Return float [N, H]: what the rows' last tokens read of their source and of their own tokens."""
        assert own.keys is not None and own.values is not None
        count, width = x.shape
        heads = own.layer.heads
        query, pair = paddle.split(F.linear(x, own.weight, own.bias), [width, 2 * width], axis=1)
        own.kept = _written(own.kept, fresh, pair, used)
        texts = paddle.gather(own.kept, slots).reshape([count, -1, 2, heads, width // heads]).transpose([2, 0, 3, 1, 4])
        query = query.reshape([count, heads, 1, width // heads])
        asked = grid.lay(query.squeeze(2)).transpose([0, 2, 1, 3])
        of_source = paddle.matmul(asked, own.keys, transpose_y=True) + self._bias.unsqueeze([1, 2])
        of_text = paddle.matmul(query, texts[0], transpose_y=True).squeeze(2)
        scores = paddle.concat([grid.take(of_source.transpose([0, 2, 1, 3])), of_text], axis=2)
        shares = paddle.split(F.softmax(scores), [of_source.shape[3], of_text.shape[2]], axis=2)
        read = paddle.matmul(grid.lay(shares[0]).transpose([0, 2, 1, 3]), own.values)
        mixed = grid.take(read.transpose([0, 2, 1, 3])) + paddle.matmul(shares[1].unsqueeze(2), texts[1]).squeeze(2)
        return mixed.reshape([count, width])


def _finish(layer: EncoderLayer, mixed: Tensor, x: Tensor) -> Tensor:
    """Return EncoderLayer.finish() of rows, float [N, H], without dropout in any mode."""
    x = layer.attention_norm(x + layer.output(mixed))
    return layer.ffn_norm(x + layer.ffn_out(F.gelu(layer.ffn_in(x))))


def _written(kept: Tensor | None, fresh: Tensor, pair: Tensor, used: int) -> Tensor:
    """Return the slots, float [C, 2H], with rows `pair`, float [N, 2H], at slots `fresh`; made or doubled when full."""
    if kept is None:
        kept = paddle.zeros([FIRST_ROOM * len(fresh), pair.shape[1]], pair.dtype)
    while used > kept.shape[0]:
        kept = paddle.concat([kept, paddle.zeros_like(kept)])
    return paddle.scatter_(kept, fresh, pair)
