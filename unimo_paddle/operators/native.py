"""The operators a model calls, float32 on a CPU; each equals plain Paddle to float32 round-off, gradients too.

Dropout is drawn from Paddle's own generator, so that paddle.seed settles it and recomputing a layer repeats it.
B batch, S positions, H width, A heads.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from unimo_paddle.errors import UserError
from unimo_paddle.operators.library import call, load

__all__ = ["add_bias", "attention", "linear_gelu", "load", "require_native", "residual_norm"]


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


def attention(
    x_BSH: Tensor, parts: tuple[nn.Linear, nn.Linear, nn.Linear], bias: Tensor, heads: int, rate: float
) -> Tensor:
    """Return each position's mixture of values, float32 [B, S, H], heads side by side.

    parts: query, key and value; bias: float32 [B, 1 or A, S, S], added to the scores; rate: of dropout of the weights.
    """
    products = [_product(x_BSH, part) for part in parts]
    return call("attention", *products, *(part.bias for part in parts), bias, _seed(rate), heads, float(rate))[0]


def _product(x: Tensor, part: nn.Linear) -> Tensor:
    require_native(x)
    return paddle.matmul(x, part.weight)


def _seed(rate: float) -> Tensor:
    """Return int64 [1]; without dropout nobody reads it, and the generator is left alone."""
    return paddle.randint(0, 2**31 - 1, [1], "int64") if rate else paddle.zeros([1], "int64")
