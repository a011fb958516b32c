"""Adam with decoupled weight decay, clipping, and the learning-rate schedules (spec/release.md section 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from unimo_paddle.errors import UserError

Arrays = Mapping[str, NDArray[np.float32]]
_STATES = ("moment1", "moment2", "beta1_pow_acc", "beta2_pow_acc")


def learning_rate(step: int, peak: float, warmup: int, total: int, schedule: str = "linear") -> float:
    """Return the rate of the update number `step`, counted from 0; both schedules start at 0 if there is a warm-up.

    linear: up to `peak` at step `warmup`, then down to 0 at `total`.
    release: the same way up, but the way down is measured from step 0, so that at step `warmup` the rate drops from
    peak to peak * (1 - warmup / total). Kept because the published scores were made with it.
    """
    if step < warmup:
        return peak * step / warmup
    if schedule == "release":
        return peak * (1 - min(step, total) / total)
    assert schedule == "linear", schedule
    return peak * max(total - step, 0) / (total - warmup)


def decayed_names(model: nn.Layer) -> set[str]:
    """Return the structured names of the parameters that weight decay applies to: no norms, no biases.

    Embeddings are decayed, as in the release.
    """
    norms = (nn.LayerNorm, nn.BatchNorm2D)
    spared = {id(p) for layer in model.sublayers() if isinstance(layer, norms) for p in layer.parameters()}
    return {name for name, p in model.named_parameters() if id(p) not in spared and not name.endswith("bias")}


@paddle.no_grad()
def clip_gradients(parameters: Iterable[Tensor], longest: float) -> float:
    """Scale all gradients by one factor so that together, as one vector, they are no longer than `longest`.

    Returns the length before, 0.0 without gradients. A length that is not finite leaves them as they are.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return 0.0
    # On a CPU paddle.linalg.norm takes 20 times as long as this and is off in the third digit.
    squares = [(gradient * gradient).sum() for gradient in gradients]
    norm = float(paddle.stack(squares).sum().sqrt())
    if np.isfinite(norm) and norm > longest:
        for gradient in gradients:
            gradient.scale_(longest / norm)
    return norm


class Adam:
    """p <- p - lr * m / (sqrt(v) + epsilon) - lr * weight_decay * p_old, with bias-corrected moments m and v.

    The decay uses the value from before the step, as the release does. Plain AdamW is as fast on a CPU as Paddle's
    multi-tensor Adam (9 M parameters: 7.3 and 6.6 ms), which would need the decay as a second pass.
    """

    def __init__(
        self,
        model: nn.Layer,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.98),
        epsilon: float = 1e-6,
        clip_norm: float = 1.0,
    ) -> None:
        self._named = {name: p for name, p in model.named_parameters() if not p.stop_gradient}
        self._clip_norm = clip_norm
        decayed = {self._named[name].name for name in decayed_names(model) & self._named.keys()}
        self._adam = paddle.optimizer.AdamW(
            learning_rate=0.0,
            beta1=betas[0],
            beta2=betas[1],
            epsilon=epsilon,
            parameters=list(self._named.values()),
            weight_decay=weight_decay,
            apply_decay_param_fun=lambda name: name in decayed,
        )

    def step(self, rate: float) -> float:
        """Update the parameters that have a gradient, drop the gradients, and return their norm before clipping.

        When the norm is not finite nothing is updated.
        """
        norm = clip_gradients(self._named.values(), self._clip_norm)
        if np.isfinite(norm):
            self._adam.set_lr(rate)
            self._adam.step()
        self._adam.clear_grad()
        return norm

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return the moments and beta powers as `moment1:encoder.word_embedding.weight`, by structured names.

        Empty before the first step; a parameter that never had a gradient has no state.
        """
        return {key: tensor.numpy() for key, tensor in self._state_tensors().items()}

    def load(self, state: Arrays) -> None:
        """Put back what state() returned; updates then go on bitwise as if never interrupted.

        Raises UserError naming the states that do not fit this model.
        """
        names = {key.partition(":")[2] for key in state}
        self._make_states(names & self._named.keys())
        tensors = self._state_tensors()
        faults = [f"{key} is missing" for key in tensors.keys() - state.keys()]
        faults += [f"{key} belongs to no parameter" for key in state.keys() - tensors.keys()]
        faults += [
            f"{key} is {list(state[key].shape)} instead of {list(tensors[key].shape)}"
            for key in tensors.keys() & state.keys()
            if list(state[key].shape) != list(tensors[key].shape)
        ]
        if faults:
            raise UserError(f"the optimizer's state is not of this model: {'; '.join(sorted(faults)[:5])}")
        for key, tensor in tensors.items():
            tensor.set_value(state[key])

    def _make_states(self, names: set[str]) -> None:
        """Let Paddle create its accumulators: it does so in a step only, and one at rate 0 changes no parameter."""
        for name in names:
            self._named[name].grad = paddle.zeros_like(self._named[name])
        self._adam.set_lr(0.0)
        self._adam.step()
        self._adam.clear_grad()

    def _state_tensors(self) -> dict[str, Tensor]:
        """Find Paddle's accumulators, `linear_3.w_0_moment1_0`, whose names depend on the order of creation."""
        names = {p.name: name for name, p in self._named.items()}
        pattern = re.compile(rf"(.+)_({'|'.join(_STATES)})_\d+")
        found = {}
        for key, tensor in self._adam.state_dict().items():
            match = pattern.fullmatch(key)
            if match and match[1] in names:
                found[f"{match[2]}:{names[match[1]]}"] = tensor
        return found
