"""The parts of the encoder: initialised linears and tables, one post-LayerNorm Transformer layer.

The numbers are the release's (section 2). B batch, S positions, H width, A heads.
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

    def forward(self, x_BSH: Tensor, bias_BASS: Tensor) -> Tensor:
        """Return the layer's states, float [B, S, H]. bias_BASS: added to the attention scores (additive_bias)."""
        x_BSH = self.join(self.attend(x_BSH, bias_BASS), self.output, x_BSH, self.attention_norm)
        return self.join(self.widen(x_BSH), self.ffn_out, x_BSH, self.ffn_norm)

    def attend(self, x_BSH: Tensor, bias_BASS: Tensor) -> Tensor:
        """Return each position's mixture of values, float [B, S, H], heads side by side."""
        query = self.split_heads(self.query(x_BSH) * (x_BSH.shape[2] // self.heads) ** -0.5)
        key, value = self.split_heads(self.key(x_BSH)), self.split_heads(self.value(x_BSH))
        weights = F.softmax(paddle.matmul(query, key, transpose_y=True) + bias_BASS)
        mixed = paddle.matmul(self.drop(weights, self.attention_dropout), value)
        return mixed.transpose([0, 2, 1, 3]).reshape(x_BSH.shape)

    def widen(self, x_BSH: Tensor) -> Tensor:
        """Return the feed-forward part's inner states, float [B, S, 4H]."""
        return F.gelu(self.ffn_in(x_BSH))

    def join(self, inner: Tensor, part: nn.Linear, x_BSH: Tensor, norm: nn.LayerNorm) -> Tensor:
        """Return norm(x + dropout(part(inner))), float [B, S, H]."""
        return norm(x_BSH + self.drop(part(inner), self.dropout))

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

    def attend(self, x_BSH: Tensor, bias_BASS: Tensor) -> Tensor:
        parts, rate = (self.query, self.key, self.value), self.attention_dropout if self.training else 0.0
        return native.attention(x_BSH, parts, bias_BASS, self.heads, rate)

    def widen(self, x_BSH: Tensor) -> Tensor:
        return native.linear_gelu(x_BSH, self.ffn_in)

    def join(self, inner: Tensor, part: nn.Linear, x_BSH: Tensor, norm: nn.LayerNorm) -> Tensor:
        return native.residual_norm(inner, part, x_BSH, norm, self.dropout if self.training else 0.0)
