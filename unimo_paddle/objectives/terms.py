"""A loss before its division, so that micro-batches and ranks can add theirs and divide once."""

from __future__ import annotations

from dataclasses import dataclass

import paddle
from paddle import Tensor


@dataclass(frozen=True)
class LossTerm:
    """sum: float [], carries the gradient; count: float [], how many labels it sums over (0 when there were none)."""

    sum: Tensor
    count: Tensor

    def __add__(self, other: LossTerm) -> LossTerm:
        return LossTerm(self.sum + other.sum, self.count + other.count)

    def mean(self) -> Tensor:
        """Return sum / count, float []; 0 when nothing was labelled."""
        return self.sum / self.count.clip(min=1.0)


def at_least_float32(values: Tensor) -> Tensor:
    """Return half-precision values as float32, others as they are: sums of exponentials and of squares overflow
    float16, which ends at 65,504."""
    return values.astype("float32") if values.dtype in (paddle.float16, paddle.bfloat16) else values
