"""The parts of the encoder: initialised linears and tables, one post-LayerNorm Transformer layer.

The numbers are the release's (section 2). B batch, S positions, Q positions of each sequence that read them (all S
where nothing is said), N rows of a batch, H width, A heads.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo_paddle.operators import native

INIT_STD = 0.02


def truncated_normal() -> nn.initializer.Initializer:
    """Return the release's initialiser: normal of deviation 0.02, cut at two deviations."""
    return nn.initializer.TruncatedNormal(std=INIT_STD, a=-2 * INIT_STD, b=2 * INIT_STD)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a Linear with weight [inputs, outputs] drawn from the truncated normal and bias 0."""
    return nn.Linear(inputs, outputs, weight_attr=paddle.ParamAttr(initializer=truncated_normal()))


def embedding(rows: int, width: int) -> nn.Embedding:
    """Return a table [rows, width] drawn from the truncated normal."""
    return nn.Embedding(rows, width, weight_attr=paddle.ParamAttr(initializer=truncated_normal()))


def encoder_layer(width: int, heads: int, dropout: float, attention_dropout: float, operators: str) -> EncoderLayer:
    """Return a layer that computes with operators, "plain" Paddle's or our "native" ones; weights are the same.

    UserError when the native ones are not built: now rather than at the first step.
    """
    if operators == "plain":
        return EncoderLayer(width, heads, dropout, attention_dropout)
    native.load()
    return NativeEncoderLayer(width, heads, dropout, attention_dropout)


class EncoderLayer(nn.Layer):
    """Self-attention, then the feed-forward part of 4H; each is out = LayerNorm(x + dropout(part(x)))."""

    def __init__(self, width: int, heads: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.heads = heads
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.query, self.key, self.value = linear(width, width), linear(width, width), linear(width, width)
        self.output = linear(width, width)
        self.attention_norm = nn.LayerNorm(width)
        self.ffn_in = linear(width, 4 * width)
        self.ffn_out = linear(4 * width, width)
        self.ffn_norm = nn.LayerNorm(width)

    def forward(
        self, x_BSH: Tensor, bias_BAQS: Tensor, readers: Tensor | None = None, places: Tensor | None = None
    ) -> Tensor:
        """Return the layer's states, float [B, S, H], or [N, H] of some rows alone (the fields of inputs.Read).

        bias_BAQS: added to the attention scores (additive_bias).  readers: int64 [B, Q], flat indices into B * S, the
        positions that read; places: int64 [N], flat indices into B * Q, those of them whose states are wanted.
        """
        if readers is None or places is None:
            return self.finish(self.attend(x_BSH, x_BSH, bias_BAQS), x_BSH)
        x_BQH = take_rows(x_BSH, readers)
        return self.finish(take_rows(self.attend(x_BQH, x_BSH, bias_BAQS), places), take_rows(x_BQH, places))

    def attend(self, x_BQH: Tensor, x_BSH: Tensor, bias_BAQS: Tensor) -> Tensor:
        """Return the mixture of all positions' values for each that reads them, float [B, Q, H], heads side by side."""
        return self.mix(self.queries(x_BQH), *self.keys_values(x_BSH), bias_BAQS)

    def queries(self, x_BQH: Tensor) -> Tensor:
        """Return what is asked, scaled: float [B, A, Q, H/A]."""
        return self.split_heads(self.query(x_BQH) * (x_BQH.shape[2] // self.heads) ** -0.5)

    def keys_values(self, x_BSH: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is found by and what is read, each float [B, A, S, H/A]."""
        return self.split_heads(self.key(x_BSH)), self.split_heads(self.value(x_BSH))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, bias_BAQS: Tensor) -> Tensor:
        """Return float [B, Q, H] of queries(), keys_values() and the mask."""
        weights = F.softmax(paddle.matmul(query, key, transpose_y=True) + bias_BAQS)
        mixed = paddle.matmul(self.drop(weights, self.attention_dropout), value)
        batch, heads, readers, depth = mixed.shape
        return mixed.transpose([0, 2, 1, 3]).reshape([batch, readers, heads * depth])

    def finish(self, mixed: Tensor, x: Tensor) -> Tensor:
        """Return the states of rows, float [.., H], from what attention mixed for them and what they were before."""
        x = self.join(mixed, self.output, x, self.attention_norm)
        return self.join(self.widen(x), self.ffn_out, x, self.ffn_norm)

    def widen(self, x: Tensor) -> Tensor:
        """Return the feed-forward part's inner states, float [.., 4H]."""
        return F.gelu(self.ffn_in(x))

    def join(self, inner: Tensor, part: nn.Linear, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        """Return norm(x + dropout(part(inner))), float [.., H]."""
        return norm(x + self.drop(part(inner), self.dropout))

    def split_heads(self, x_BSH: Tensor) -> Tensor:
        """Return float [B, A, S, H/A], copied once so that no later product copies it again."""
        batch, positions, width = x_BSH.shape
        split = x_BSH.reshape([batch, positions, self.heads, width // self.heads])
        return split.transpose([0, 2, 1, 3]).contiguous()

    def drop(self, x: Tensor, rate: float) -> Tensor:
        """Return x with a share `rate` zeroed and the rest scaled up, in training only; any shape."""
        return F.dropout(x, rate) if self.training and rate else x


class NativeEncoderLayer(EncoderLayer):
    """The same layer through the operators of unimo_paddle/operators: float32 on a CPU, the dropout drawn otherwise."""

    def attend(self, x_BQH: Tensor, x_BSH: Tensor, bias_BAQS: Tensor) -> Tensor:
        parts, rate = (self.query, self.key, self.value), self.attention_dropout if self.training else 0.0
        return native.attention(x_BQH, x_BSH, parts, bias_BAQS, self.heads, rate)

    def widen(self, x: Tensor) -> Tensor:
        return native.linear_gelu(x, self.ffn_in)

    def join(self, inner: Tensor, part: nn.Linear, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        return native.residual_norm(inner, part, x, norm, self.dropout if self.training else 0.0)


def take_rows(states: Tensor, rows: Tensor) -> Tensor:
    """Return float [.., H], shaped like rows: the rows at flat indices `rows`, int64, of states, float [.., H]."""
    width = states.shape[-1]
    return paddle.gather(states.reshape([-1, width]), rows.reshape([-1])).reshape([*rows.shape, width])
