"""Adam with decoupled weight decay, clipping, and the learning-rate schedules (spec/release.md section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from unimo_paddle.config.engine import ParallelSettings
from unimo_paddle.distributed import broadcast, rank, sum_gradients, world_size
from unimo_paddle.engine.adamw import PlainAdamW
from unimo_paddle.engine.device import on_gpu
from unimo_paddle.errors import UserError
from unimo_paddle.operators import adamw as native

Arrays = Mapping[str, NDArray[np.float32]]


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
def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """Return the length of all gradients together, as one vector; 0.0 without gradients."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return 0.0
    # On a CPU paddle.linalg.norm takes 20 times as long as this and is off in the third digit.
    squares = [(gradient * gradient).sum() for gradient in gradients]
    return float(paddle.stack(squares).sum().sqrt())


def shares(sizes: Sequence[int], count: int) -> list[int]:
    """Return which of `count` owners has each of the parameters, given how many numbers they have: from the largest on,
    each goes to the one who has the least so far."""
    owned, owners = [0] * count, [0] * len(sizes)
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        owners[place] = owned.index(min(owned))
        owned[owners[place]] += sizes[place]
    return owners


def sharding_of(settings: ParallelSettings) -> int:
    """Return how many neighbouring ranks share Adam's state.

    Group sharding's stage 1 is that among all ranks. Stages 2 and 3 (gradients, weights) are refused, with or without
    a GPU: Paddle's group_sharded_parallel averages a gradient over the ranks in each backward pass, where ours are sums
    of several passes over labels that ranks have in different numbers, and its stage 3 does not see weights that are
    used outside their own layer, as the word table is in the language head. Raises UserError for them, and for stage 1
    on a CPU.
    """
    stage = settings.group_sharded
    if not stage:
        return settings.sharding
    if not on_gpu():
        raise UserError(
            f"parallel.group_sharded {stage} needs GPUs: Paddle cannot scatter over gloo; on a CPU use "
            f"parallel.sharding, which shares Adam's moments"
        )
    if stage > 1:
        raise UserError(
            f"parallel.group_sharded {stage} does not fit steps of several backward passes; use stage 1, "
            f"model.recompute and train.accumulate to save memory"
        )
    return world_size()


class Adam:
    """Sums gradients over ranks, clips them and updates the parameters (engine/adamw.py).

    halve: turns some of the model's parameters into half precision; their float32 masters are kept here and updated,
    and gradients are added up in float32.  sharding: so many neighbouring ranks share the moments among them: each
    updates its own parameters and hands them round (ZeRO stage 1); it must divide the number of processes. fleet's
    DygraphShardingOptimizer does this with Paddle's optimizers only, averages where we sum, and sends each parameter
    by itself.  operators: plain or native (unimo_paddle/operators).
    """

    def __init__(
        self,
        model: nn.Layer,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.98),
        epsilon: float = 1e-6,
        clip_norm: float = 1.0,
        halve: Callable[[nn.Layer], None] | None = None,
        sharding: int = 1,
        operators: str = "plain",
    ) -> None:
        if world_size() % sharding:
            raise UserError(
                f"parallel.sharding is {sharding}, which {world_size()} processes cannot form groups of; "
                f"choose a divisor of {world_size()}"
            )
        self.model, self._clip_norm, self._sharding = model, clip_norm, sharding
        trained = {name: p for name, p in model.named_parameters() if not p.stop_gradient}
        self._halves = _masters(trained, lambda: halve(model)) if halve else {}
        self._named = {name: self._halves[name][1] if name in self._halves else p for name, p in trained.items()}
        owners = shares([p.size for p in self._named.values()], sharding)
        self._owner = dict(zip(self._named, owners, strict=True))
        kind = native.NativeAdamW if operators == "native" else PlainAdamW
        self._norm = native.gradient_norm if operators == "native" else gradient_norm
        self._rule = kind(self._own(), decayed_names(model), weight_decay, betas, epsilon)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the model's weights by structured name, masters in the place of half-precision parameters: what a
        checkpoint holds. After writing to them call refresh()."""
        return {**self.model.state_dict(), **{name: master for name, (_, master) in self._halves.items()}}

    @paddle.no_grad()
    def refresh(self) -> None:
        """Round the masters to the parameters that the model computes with."""
        for parameter, master in self._halves.values():
            paddle.assign(master.astype(parameter.dtype), parameter)

    @paddle.no_grad()
    def collect(self) -> None:
        """Add the gradients of half-precision parameters to their masters'; after every backward pass."""
        for parameter, master in self._halves.values():
            if parameter.grad is not None:
                gradient = parameter.grad.astype("float32")
                master.grad = gradient if master.grad is None else master.grad + gradient
                parameter.clear_gradient(False)

    def has_gradient(self) -> list[bool]:
        """Tell of each parameter whether this rank has a gradient for it, in an order that is the same on all ranks."""
        return [p.grad is not None for p in self._named.values()]

    def sum_gradients(self, wanted: Sequence[bool]) -> None:
        """Add up the gradients over all ranks. wanted: as has_gradient(), of any rank."""
        for parameter, is_wanted in zip(self._named.values(), wanted, strict=True):
            if is_wanted and parameter.grad is None:
                parameter.grad = paddle.zeros_like(parameter)
        sum_gradients(list(self._named.values()))

    @paddle.no_grad()
    def step(self, rate: float, scale: float = 1.0) -> float:
        """Update the parameters that have a gradient, drop the gradients, and return their norm before clipping.

        scale: what the loss was multiplied by. When the norm is not finite nothing is updated.
        """
        norm = self._norm(self._named.values()) / scale
        if np.isfinite(norm):
            changed = [name for name, p in self._named.items() if p.grad is not None]
            self._rule.update(rate, min(1.0, self._clip_norm / norm if norm else 1.0) / scale)
            self._hand_round(changed)
            self.refresh()
        self.clear()
        return norm

    def clear(self) -> None:
        """Drop all gradients: a parameter without one is not updated, while one that is zero would be."""
        for parameter in self._named.values():
            parameter.clear_gradient(False)  # given by name, Paddle ignores it and keeps zeros

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return the moments and beta powers as `moment1:encoder.word_embedding.weight`, by structured names.

        Those of the parameters that this rank owns; each has one owner, in the first group of ranks. Empty before the
        first step; a parameter that never had a gradient has no state.
        """
        if rank() >= self._sharding:
            return {}
        return {key: tensor.numpy() for key, tensor in self._rule.states().items()}

    def load(self, state: Arrays) -> None:
        """Put back what the state() of all owners together returned; updates then go on bitwise as if never
        interrupted, with any sharding.

        Raises UserError naming the states that do not fit this model.
        """
        names = {key.partition(":")[2] for key in state}
        strange = sorted(key for key in state if key.partition(":")[2] not in self._named)
        own = {key: array for key, array in state.items() if key.partition(":")[2] in self._own()}
        self._rule.make_states(names & self._own().keys())
        tensors = self._rule.states()
        faults = [f"{key} is missing" for key in tensors.keys() - own.keys()]
        faults += [f"{key} belongs to no parameter" for key in [*(own.keys() - tensors.keys()), *strange]]
        faults += [
            f"{key} is {list(own[key].shape)} instead of {list(tensors[key].shape)}"
            for key in tensors.keys() & own.keys()
            if list(own[key].shape) != list(tensors[key].shape)
        ]
        if faults:
            raise UserError(f"the optimizer's state is not of this model: {'; '.join(sorted(faults)[:5])}")
        for key, tensor in tensors.items():
            tensor.set_value(own[key])

    def _own(self) -> dict[str, Tensor]:
        """Return the parameters that this rank updates."""
        mine = rank() % self._sharding
        return {name: p for name, p in self._named.items() if self._owner[name] == mine}

    def _hand_round(self, names: Sequence[str]) -> None:
        """Give each owner's new values to all ranks. Those of the first ranks go round: the others' are the same."""
        if self._sharding > 1:
            for owner in range(self._sharding):
                broadcast([self._named[name] for name in names if self._owner[name] == owner], owner)


def _masters(trained: Mapping[str, Tensor], halve: Callable[[], None]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return (parameter, its float32 master) of those that `halve` turns into half precision, with their old values."""
    before = {name: parameter.clone().detach() for name, parameter in trained.items()}
    halve()
    halves = {}
    for name, parameter in trained.items():
        if parameter.dtype != before[name].dtype:
            master = paddle.create_parameter(
                parameter.shape, "float32", default_initializer=nn.initializer.Assign(before[name])
            )
            halves[name] = (parameter, master)
    return halves
