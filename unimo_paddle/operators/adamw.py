"""Adam's update over all parameters in one pass, and the length of their gradients: float32 on a CPU."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

import paddle
from paddle import Tensor

from unimo_paddle.operators.library import call
from unimo_paddle.operators.native import require_native

STATES = ("moment1", "moment2", "beta1_pow_acc", "beta2_pow_acc")


@paddle.no_grad()
def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """Return the length of all gradients together as one vector, summed in float64; 0.0 without gradients.

    Not finite when one of the numbers is not. The number of threads does not change it.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    for gradient in gradients:
        require_native(gradient)
    return math.sqrt(float(call("sum_of_squares", gradients)[0])) if gradients else 0.0


class NativeAdamW:
    """p <- p - rate * m / (sqrt(v) + epsilon) - rate * weight_decay * p_old, with bias-corrected moments m and v.

    Equal to paddle.optimizer.AdamW to float32 round-off, with the same states: either goes on from the other's.
    named: float32 parameters by structured name; decayed: the names that weight decay applies to.
    """

    def __init__(
        self,
        named: Mapping[str, Tensor],
        decayed: Collection[str],
        weight_decay: float,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        for parameter in named.values():
            require_native(parameter)
        self._named = named
        self._decay = {name: weight_decay if name in decayed else 0.0 for name in named}
        self._betas, self._epsilon = betas, epsilon
        self._states: dict[str, tuple[Tensor, ...]] = {}   # of each parameter, in the order of STATES

    @paddle.no_grad()
    def update(self, rate: float, factor: float = 1.0) -> None:
        """Update the parameters that have a gradient, which counts as if it were multiplied by `factor` first."""
        names = [name for name, p in self._named.items() if p.grad is not None]
        if not names:
            return
        self.make_states([name for name in names if name not in self._states])
        gradients = [self._named[name].grad for name in names]
        # Detached tensors share the memory; Paddle lets no operator change a parameter itself.
        parameters = [self._named[name].detach() for name in names]
        means, squares, *powers = map(list, zip(*(self._states[name] for name in names), strict=True))
        kept = [1.0 - rate * self._decay[name] for name in names]
        numbers = (float(rate), *self._betas, self._epsilon, float(factor))
        call("adamw", parameters, gradients, means, squares, *powers, kept, *numbers)

    def make_states(self, names: Collection[str]) -> None:
        """Create the states of these parameters, as before their first update."""
        for name in names:
            moments = (paddle.zeros_like(self._named[name]).detach() for _ in range(2))
            self._states[name] = (*moments, *(paddle.full([1], beta, "float32") for beta in self._betas))

    def states(self) -> dict[str, Tensor]:
        """Return `moment1:encoder.word_embedding.weight` and so on, of the parameters that were updated once."""
        return {
            f"{key}:{name}": tensor
            for name, tensors in self._states.items()
            for key, tensor in zip(STATES, tensors, strict=True)
        }
