"""Mixed precision: which products are made in half precision, and the scale that keeps small gradients in float16."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import paddle
from paddle import nn

from unimo_paddle.config.engine import PrecisionSettings
from unimo_paddle.engine.device import on_gpu
from unimo_paddle.errors import UserError

# Paddle's names of operators that stay float32 at both levels: norms, softmax, losses, and what adds up many numbers or
# grows quickly. At O2 Paddle's own list has none of them.
FLOAT32_OPERATORS = frozenset({
    "layer_norm", "softmax", "log_softmax", "logsumexp", "softmax_with_cross_entropy", "cross_entropy",
    "cross_entropy2", "exp", "log", "square", "pow", "rsqrt", "reduce_sum", "reduce_mean", "mean", "sum", "p_norm",
})  # fmt: skip
HALF_OPERATORS = frozenset({"matmul", "matmul_v2", "linear_v2", "mul"})
LARGEST_SCALE = 2.0**24  # more helps no gradient: float16's smallest number is 2 ** -24
OVERFLOWS_IN_A_ROW = 50


class LossScaler:
    """Dynamic scaling of a float16 loss: doubled after `growth_steps` good steps, halved by each that overflowed.

    It is ours because paddle.amp.GradScaler switches itself off on a CPU, where its policy could not be tested, and
    because it judges each rank's own gradients, before they are summed: ranks would skip different steps.
    """

    def __init__(self, scale: float = 2.0**15, growth_steps: int = 1000) -> None:
        self.scale, self.growth_steps = scale, growth_steps
        self.overflows = self._in_a_row = self._good = 0

    def update(self, is_finite: bool) -> None:
        """Note whether a step's gradient was finite. Raises UserError when no scale helps any more."""
        if is_finite:
            self._in_a_row, self._good = 0, self._good + 1
            if self._good >= self.growth_steps:
                self.scale, self._good = min(2 * self.scale, max(self.scale, LARGEST_SCALE)), 0
            return
        self.overflows, self._in_a_row, self._good = self.overflows + 1, self._in_a_row + 1, 0
        self.scale /= 2
        if self.scale < 1 or self._in_a_row >= OVERFLOWS_IN_A_ROW:
            raise UserError(
                f"the gradient overflowed float16 in {self._in_a_row} steps in a row, the loss scale is down to "
                f"{self.scale:g}; lower optimizer.peak_lr, or train with precision.dtype=bfloat16 or precision.level=O0"
            )

    def state(self) -> dict[str, float]:
        """Return what the next step depends on."""
        return {"scale": self.scale, "overflows": self.overflows, "in_a_row": self._in_a_row, "good": self._good}

    def load(self, state: Mapping[str, float]) -> None:
        """Go on from what state() returned."""
        self.scale, self.overflows = float(state["scale"]), int(state["overflows"])
        self._in_a_row, self._good = int(state["in_a_row"]), int(state["good"])


class Precision:
    """How a step computes. scaler: of the loss, None unless float16 is used.

    Raises UserError for half precision where there is no GPU.
    """

    def __init__(self, settings: PrecisionSettings | None = None) -> None:
        settings = settings or PrecisionSettings()
        self.level, self.dtype = settings.level, settings.dtype
        if self.level != "O0" and not on_gpu():
            raise UserError(
                f"precision.level {self.level} needs a GPU: on a CPU Paddle has no kernels for {self.dtype} and would "
                f"silently compute in float32; leave it at O0"
            )
        scaled = self.level != "O0" and self.dtype == "float16"
        self.scaler = LossScaler(settings.scale, settings.growth_steps) if scaled else None

    @property
    def scale(self) -> float:
        """What the loss is multiplied by, 1.0 without scaling."""
        return self.scaler.scale if self.scaler else 1.0

    def cast(self) -> AbstractContextManager[None]:
        """Return the context of every forward pass; the backward pass follows its types by itself."""
        if self.level == "O0":
            return nullcontext()
        return paddle.amp.auto_cast(
            level=self.level,
            dtype=self.dtype,
            custom_white_list=HALF_OPERATORS,
            custom_black_list=FLOAT32_OPERATORS,
        )

    def halve(self, model: nn.Layer) -> None:
        """At O2 turn the model's parameters into half precision, all but its norms'; the optimizer holds the float32
        masters (engine/optimizer.py), not Paddle's AdamW, which sums a step's gradients in half precision."""
        if self.level == "O2":
            paddle.amp.decorate(model, level="O2", dtype=self.dtype, excluded_layers=[nn.LayerNorm])

