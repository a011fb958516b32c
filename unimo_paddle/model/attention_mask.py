"""The only maker of attention masks: training, decoding and export all read the same rule."""

from __future__ import annotations

import paddle
from paddle import Tensor

HIDDEN = -1e4   # the release's: exp() of it is 0 in float32, yet a row that reads nothing stays finite


def attention_mask(reach: Tensor, is_pad: Tensor, group: Tensor | None = None) -> Tensor:
    """Tell which positions each position may read.

    i reads j when reach[i] >= reach[j], group[i] == group[j] and j is no padding.

    reach: int32 [B, S].  is_pad: bool [B, S].  group: int32 [B, S], or None when all positions are of one group.
    Returns bool [B, 1, S, S] (reader, then read); one plane serves all heads. A padded position reads like any other:
    its result is never used. Raises ValueError when the shapes differ.

    Three rows, written without the commas (r = reach, p = is_pad, g = group), and what each position reads:

        bidirectional, one padded      r 0000  p 0001          1110 1110 1110 1110
        two of source, two of target   r 0012  p 0000          1100 1100 1110 1111
        image and text apart           r 0000  p 0000  g 0011  1100 1100 0011 0011
    """
    for name, other in (("is_pad", is_pad), ("group", group)):
        if other is not None and other.shape != reach.shape:
            shapes = f"reach is {list(reach.shape)} but {name} is {list(other.shape)}"
            raise ValueError(f"{shapes}; both must be [B, S]")
    reads = (reach.unsqueeze(2) >= reach.unsqueeze(1)) & ~is_pad.unsqueeze(1)
    if group is not None:
        reads = reads & (group.unsqueeze(2) == group.unsqueeze(1))
    return reads.unsqueeze(1)


def additive_bias(mask: Tensor, heads: int, dtype: paddle.dtype) -> Tensor:
    """Turn a mask into what is added to the attention scores: 0 where it may be read, -10,000 where not.

    mask: bool [B, 1, S, S].  Returns dtype [B, heads, S, S]. It is spread over the heads once, for all layers,
    because Paddle's adding of unequal shapes is 40 times slower on a CPU than adding equal ones.
    """
    bias = (1.0 - mask.astype(dtype)) * HIDDEN
    return bias.expand([-1, heads, -1, -1]).contiguous()
