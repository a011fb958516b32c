"""The update rule itself, for the parameters of one process: Paddle's AdamW, with its state under our names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import paddle
from paddle import Tensor

_STATES = ("moment1", "moment2", "beta1_pow_acc", "beta2_pow_acc")


class PlainAdamW:
    """p <- p - rate * m / (sqrt(v) + epsilon) - rate * weight_decay * p_old, with bias-corrected moments m and v.

    The decay uses the value from before the step, as the release does, and is for the `decayed` names only. Plain AdamW
    is as fast on a CPU as Paddle's multi-tensor Adam (9 M parameters: 7.3 and 6.6 ms), which would need the decay as a
    second pass; Paddle's AdamW has no multi-tensor form.
    """

    def __init__(
        self,
        named: Mapping[str, Tensor],
        decayed: Collection[str],
        weight_decay: float,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        self._named = named
        inner = {named[name].name for name in named if name in decayed}
        self._adam = paddle.optimizer.AdamW(
            learning_rate=0.0,
            beta1=betas[0],
            beta2=betas[1],
            epsilon=epsilon,
            parameters=list(named.values()),
            weight_decay=weight_decay,
            apply_decay_param_fun=lambda name: name in inner,
        )

    @paddle.no_grad()
    def update(self, rate: float, factor: float = 1.0) -> None:
        """Update the parameters that have a gradient, which is multiplied by `factor` first."""
        if factor != 1.0:
            for parameter in self._named.values():
                if parameter.grad is not None:
                    parameter.grad.scale_(factor)
        self._adam.set_lr(rate)
        self._adam.step()

    def make_states(self, names: Collection[str]) -> None:
        """Create the states of these parameters: Paddle does so in a step only, and one at rate 0 changes nothing."""
        for name in names:
            self._named[name].grad = paddle.zeros_like(self._named[name])
        self.update(0.0)
        for name in names:
            self._named[name].clear_gradient(False)

    def states(self) -> dict[str, Tensor]:
        """Return `moment1:encoder.word_embedding.weight` and so on, of the parameters that were updated once.

        Paddle's accumulators are called `linear_3.w_0_moment1_0`, which depends on the order of creation.
        """
        names = {p.name: name for name, p in self._named.items()}
        pattern = re.compile(rf"(.+)_({'|'.join(_STATES)})_\d+")
        found = {}
        for key, tensor in self._adam.state_dict().items():
            match = pattern.fullmatch(key)
            if match and match[1] in names:
                found[f"{match[2]}:{names[match[1]]}"] = tensor
        return found
