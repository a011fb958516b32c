"""Adam with decoupled weight decay and clipping (spec/release.md section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from unimo_paddle.distributed import broadcast, rank, sum_gradients, sums, world_size
from unimo_paddle.engine.adamw import PlainAdamW
from unimo_paddle.engine.sharded import SharedGradients, SharedLayers, layer_names, owners
from unimo_paddle.errors import UserError
from unimo_paddle.operators import adamw as native

Arrays = Mapping[str, NDArray[np.float32]]


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


class Adam:
    """Sums gradients over ranks, clips them and updates the parameters (engine/adamw.py).

    halve: turns some of the model's parameters into half precision; their float32 masters are kept here and updated,
    and gradients are added up in float32.  sharding: so many neighbouring ranks share the moments among them: each
    updates its own parameters and hands them round; it must divide the number of processes. fleet's
    DygraphShardingOptimizer does this with Paddle's optimizers only, averages where we sum, and sends each parameter
    by itself.  stage: what they share, 1: the moments; 2: gradients too; 3: weights of the encoder's layers too
    (engine/sharded.py), not with `halve`.  operators: plain or native (unimo_paddle/operators).
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
        stage: int = 1,
    ) -> None:
        if world_size() % sharding:
            raise UserError(
                f"parallel.sharding is {sharding}, which {world_size()} processes cannot form groups of; "
                f"choose a divisor of {world_size()}"
            )
        if stage == 3 and halve:
            raise UserError("parallel.stage 3 does not share half-precision layers; take stage 2 or precision.level O1")
        self.model, self.stage, self._clip_norm, self._sharding = model, stage, clip_norm, sharding
        trained = {name: p for name, p in model.named_parameters() if not p.stop_gradient}
        self._halves = _masters(trained, lambda: halve(model)) if halve else {}
        self._named = {name: self._halves[name][1] if name in self._halves else p for name, p in trained.items()}
        self._layer_names = layer_names(model)
        sizes = {name: p.size if name in trained else 0 for name, p in model.named_parameters()}
        self._owner = owners(sizes, self._layer_names, sharding)
        self._gradients = SharedGradients(self._named, self._owner, sharding) if stage > 1 else None
        self._layers = self._share_layers() if stage > 1 else None
        kind = native.NativeAdamW if operators == "native" else PlainAdamW
        self._norm = native.gradient_norm if operators == "native" else gradient_norm
        self._rule = kind(self._own(), decayed_names(model), weight_decay, betas, epsilon)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the model's weights by structured name, masters in the place of half-precision parameters: what a
        checkpoint holds. After writing to them call refresh()."""
        return {**self.model.state_dict(), **{name: master for name, (_, master) in self._halves.items()}}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return state_dict() as arrays on the first rank, nothing on the others; every rank must call it."""
        tensors, found = self.state_dict(), {}
        for place in self._layers.each_whole() if self._layers else ():
            if rank() == 0:
                found.update({name: tensors[name].numpy() for name in self._layer_names[place]})
        return {} if rank() else {name: found[name] if name in found else t.numpy() for name, t in tensors.items()}

    @paddle.no_grad()
    def refresh(self) -> None:
        """Round the masters to the parameters that the model computes with, and free the layers of other ranks."""
        for parameter, master in self._halves.values():
            paddle.assign(master.astype(parameter.dtype), parameter)
        if self._layers:
            self._layers.release()

    def collect(self) -> None:
        """Take the gradients of a backward pass; after every one, on all ranks: those of half-precision parameters are
        added to their masters', and from stage 2 on all go to their owners."""
        self._to_masters(self._halves)
        if self._gradients:
            self._gradients.send_rest()
        if self._layers:
            self._layers.release()

    def has_gradient(self) -> list[bool]:
        """Tell of each parameter whether this rank has a gradient for it, in an order that is the same on all ranks;
        from stage 2 on, whether any rank had one."""
        if self._gradients:
            return [name in self._gradients.names for name in self._named]
        return [p.grad is not None for p in self._named.values()]

    def sum_gradients(self, wanted: Sequence[bool]) -> None:
        """Add up the gradients over all ranks, as far as that is not done. wanted: as has_gradient(), of any rank."""
        if self._gradients:
            self._gradients.deliver()
            return
        for parameter, is_wanted in zip(self._named.values(), wanted, strict=True):
            if is_wanted and parameter.grad is None:
                parameter.grad = paddle.zeros_like(parameter)
        sum_gradients(list(self._named.values()))

    @paddle.no_grad()
    def step(self, rate: float, scale: float = 1.0) -> float:
        """Update the parameters that have a gradient, drop the gradients, and return their norm before clipping.

        scale: what the loss was multiplied by. When the norm is not finite nothing is updated.
        """
        norm = self._length() / scale
        if np.isfinite(norm):
            changed = [name for name, has_one in zip(self._named, self.has_gradient(), strict=True) if has_one]
            self._rule.update(rate, min(1.0, self._clip_norm / norm if norm else 1.0) / scale)
            self._hand_round(changed)
            self.refresh()
        self.clear()
        return norm

    def clear(self) -> None:
        """Drop all gradients: a parameter without one is not updated, while one that is zero would be."""
        for parameter in self._named.values():
            parameter.clear_gradient(False)  # given by name, Paddle ignores it and keeps zeros
        if self._gradients:
            self._gradients.clear()

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
        """Give each owner's new values to all ranks. Those of the first ranks go round: the others' are the same.
        At stage 3 layers are fetched when they are used."""
        kept = {name for layer in self._layer_names for name in layer} if self.stage == 3 else set()
        if self._sharding > 1:
            for owner in range(self._sharding):
                handed = [name for name in names if self._owner[name] == owner and name not in kept]
                broadcast([self._named[name] for name in handed], owner)

    def _length(self) -> float:
        """Return the length of the whole gradient; from stage 2 on each of the first ranks knows its own part of it."""
        if not self._gradients:
            return self._norm(self._named.values())
        own = self._norm(self._own().values()) ** 2 if rank() < self._sharding else 0.0
        return float(np.sqrt(sums([own])[0]))

    @paddle.no_grad()
    def _to_masters(self, names: Iterable[str]) -> None:
        for name in names:
            parameter, master = self._halves[name]
            if parameter.grad is not None:
                gradient = parameter.grad.astype("float32")
                master.grad = gradient if master.grad is None else master.grad + gradient
                parameter.clear_gradient(False)

    def _share_layers(self) -> SharedLayers:
        places = [self._owner[names[0]] for names in self._layer_names]
        return SharedLayers(self.model, places, self._sharding, self.stage == 3, self._leave)

    def _leave(self, layer: int) -> None:
        """Send a layer's gradients to its owner."""
        names = [name for name in self._layer_names[layer] if name in self._named]
        self._to_masters(name for name in names if name in self._halves)
        if self._gradients:
            self._gradients.send(names)


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
