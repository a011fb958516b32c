"""The operators a model calls, float32 on a CPU; each equals plain Paddle to float32 round-off, gradients too.

Dropout is drawn from Paddle's own generator, so that paddle.seed settles it and recomputing a layer repeats it.
B batch, S positions, Q positions that read them, H width, A heads.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from unimo_paddle.errors import UserError
from unimo_paddle.operators.library import call, load

__all__ = ["add_bias", "attention", "dropout", "layer_norm", "linear_gelu", "load", "require_native", "residual_norm",
           "tied_words"]  # fmt: skip


def require_native(x: Tensor) -> None:
    """Raise UserError unless x is float32 on the CPU."""
    if x.dtype != paddle.float32 or not x.place.is_cpu_place():
        raise UserError(f"native operators are for float32 on a CPU, this is {x.dtype} on {x.place}; "
                        "set model.operators to plain")  # fmt: skip


def linear_gelu(x: Tensor, part: nn.Linear) -> Tensor:
    """Return GELU(part(x)), float32 [.., N]; the exact GELU, with erf."""
    return call("bias_gelu", _product(x, part), part.bias)[0]


def add_bias(x: Tensor, bias: Tensor) -> Tensor:
    """Return x + bias, float32 [.., N]. x: [.., N]; bias: [N]."""
    require_native(x)
    return call("add_bias", x, bias)[0]


def residual_norm(x: Tensor, part: nn.Linear, residual: Tensor, norm: nn.LayerNorm, rate: float) -> Tensor:
    """Return norm(residual + dropout(part(x))), float32 [.., N]. rate: 0 outside training."""
    inputs = (_product(x, part), part.bias, residual, norm.weight, norm.bias, _seed(rate))
    return call("residual_norm", *inputs, float(rate), float(norm._epsilon))[0]


def layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """Return norm(x), float32 [.., N]: a residual norm without its residual."""
    require_native(x)
    inputs = (x, paddle.zeros_like(norm.bias), paddle.zeros_like(x), norm.weight, norm.bias, _seed(0.0))
    return call("residual_norm", *inputs, 0.0, float(norm._epsilon))[0]


def dropout(x: Tensor, rate: float) -> Tensor:
    """Return float32 [.., N]: x with a share `rate` zeroed and the rest scaled up; x itself where rate is 0."""
    require_native(x)
    return call("dropout", x, _seed(rate), float(rate))[0] if rate else x


def tied_words(table: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of a table, float32 [.., N], and the table for all further uses in the same pass.

    table: float32 [V, N]; ids: int64 [..].  The gradients of the rows are added into that of those uses: autograd by
    itself makes two gradients of the table, one nearly all zeros, and adds them up.
    """
    require_native(table)
    found: tuple[Tensor, Tensor] = _TiedWords.apply(table, ids)
    return found


class _TiedWords(PyLayer):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        ctx.ids, ctx.shape = ids, table.shape
        ctx.set_materialize_grads(False)
        return F.embedding(ids, table), table._slice(0, table.shape[0])

    @staticmethod
    def backward(ctx: Any, d_rows: Tensor, d_table: Tensor | None) -> tuple[Tensor, None]:
        total = paddle.zeros(ctx.shape) if d_table is None else d_table
        return total.index_add_(ctx.ids.reshape([-1]), 0, d_rows.reshape([-1, ctx.shape[1]])), None


def attention(
    x_BQH: Tensor,
    x_BSH: Tensor,
    parts: tuple[nn.Linear, nn.Linear, nn.Linear],
    bias: Tensor,
    heads: int,
    rate: float,
) -> Tensor:
    """Return the mixture of all positions' values for each that reads them, float32 [B, Q, H], heads side by side.

    parts: query, key and value; bias: float32 [B, 1 or A, Q, S], added to the scores; rate: of dropout of the weights.
    """
    products = [_product(x, part) for x, part in zip((x_BQH, x_BSH, x_BSH), parts, strict=True)]
    return call("attention", *products, *(part.bias for part in parts), bias, _seed(rate), heads, float(rate))[0]


def _product(x: Tensor, part: nn.Linear) -> Tensor:
    require_native(x)
    return paddle.matmul(x, part.weight)


def _seed(rate: float) -> Tensor:
    """Return int64 [1]; without dropout nobody reads it, and the generator is left alone."""
    return paddle.randint(0, 2**31 - 1, [1], "int64") if rate else paddle.zeros([1], "int64")
