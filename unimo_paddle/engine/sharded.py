"""What neighbouring ranks share beside Adam's moments: gradients (ZeRO stage 2) and an encoder's layers (stage 3).

Ours, not Paddle's group_sharded_parallel: that averages a gradient over the ranks in each backward pass, where ours are
sums of several passes over labels that ranks have in different numbers, and it does not see weights that are used
outside their own layer, as the word table is in the language head.

Legend: k ranks in a group; rank r has place r % k in its group; a parameter's owner is a place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from unimo_paddle.distributed import BUCKET_BYTES, broadcast, buckets, rank, sum_for, sums
from unimo_paddle.errors import UserError
from unimo_paddle.model.unimo import Unimo


def layer_names(model: nn.Layer) -> list[list[str]]:
    """Return the structured names of the parameters of each layer of the model's encoder; none without a Unimo."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    encoder = _encoder_of(model)
    return [[names[id(p)] for p in layer.parameters()] for layer in encoder.layers] if encoder else []


def owners(sizes: Mapping[str, int], layers: Sequence[Sequence[str]], count: int) -> dict[str, int]:
    """Return which of `count` places owns each parameter; sizes: how many numbers each has.

    The parameters of a layer go together. From the largest on, each layer or parameter goes to the place that has the
    least so far.
    """
    alone = sizes.keys() - {name for names in layers for name in names}
    units = [*layers, *([name] for name in sizes if name in alone)]
    weights = [sum(sizes[name] for name in unit) for unit in units]
    owned, found = [0] * count, {}
    for place in sorted(range(len(units)), key=lambda place: -weights[place]):
        owner = owned.index(min(owned))
        owned[owner] += weights[place]
        found.update(dict.fromkeys(units[place], owner))
    return found


class SharedGradients:
    """The sums of a step's gradients over all ranks, of which each rank keeps those of its own parameters.

    named: parameters by structured name; owner: of each, a place in a group of `size` ranks. names: of which a sum has
    begun, the same on all ranks.
    """

    def __init__(self, named: Mapping[str, Tensor], owner: Mapping[str, int], size: int) -> None:
        self.names: set[str] = set()
        self._named, self._owner, self._size = named, owner, size
        self._sums: dict[str, Tensor] = {}

    @paddle.no_grad()
    def send(self, names: Collection[str]) -> None:
        """Send this rank's gradients to their owners, who add them to what they have, and free them here.

        All ranks call it with the same names in the same order; a gradient that a rank lacks is zero.
        """
        self.names.update(names)
        for place in range(self._size):
            owned = {self._named[name].name: name for name in names if self._owner[name] == place}
            for bucket in buckets([self._named[name] for name in owned.values()], BUCKET_BYTES):
                self._send_bucket(bucket, [owned[parameter.name] for parameter in bucket], place)

    def send_rest(self) -> None:
        """Send all that some rank still has: at the end of each backward pass."""
        counts = sums([float(parameter.grad is not None) for parameter in self._named.values()])
        self.send([name for name, count in zip(self._named, counts, strict=True) if count])

    def deliver(self) -> None:
        """Make the sums the gradients of the parameters that this rank owns."""
        for name, total in self._sums.items():
            self._named[name].grad = total
        self._sums = {}

    def clear(self) -> None:
        """Forget the sums, for the next step."""
        self.names, self._sums = set(), {}

    def _send_bucket(self, parameters: Sequence[Tensor], names: Sequence[str], place: int) -> None:
        flat = paddle.concat([_gradient(parameter).reshape([-1]) for parameter in parameters])
        for parameter in parameters:
            parameter.clear_gradient(False)
        sum_for(flat, place, self._size)
        if rank() % self._size != place:
            return
        pieces = paddle.split(flat, [parameter.size for parameter in parameters])
        for name, parameter, piece in zip(names, parameters, pieces, strict=True):
            total = piece.reshape(parameter.shape)
            self._sums[name] = self._sums[name].add_(total) if name in self._sums else total


class SharedLayers:
    """The layers of an encoder whose gradients leave as soon as they are there and, with `weights`, whose weights are
    on their owner alone but for the time in which they are used.

    leave: is called with a layer's number when the backward pass is through with it. Embeddings and heads stay whole on
    every rank: they are used in several places of one pass, the word table by the first layer and by the language
    head. A layer's weights are fetched for every forward pass and, layers being computed again, every backward pass:
    all ranks must run the encoder equally often (engine/passes.py sees to it).
    """

    def __init__(
        self, model: nn.Layer, owner: Sequence[int], size: int, weights: bool, leave: Callable[[int], None]
    ) -> None:
        encoder = _encoder_of(model)
        if encoder is None:
            raise UserError("parallel.stage above 1 shares the layers of UNIMO's encoder, which this model has not")
        self._layers, self._owner, self._size, self._leave = list(encoder.layers), owner, size, leave
        self._comes_and_goes = weights and size > 1
        self._is_here = [True] * len(self._layers)
        self._places = {id(layer): place for place, layer in enumerate(self._layers)}
        self._apply = encoder.apply_layer
        encoder.recompute = encoder.recompute or weights
        encoder.apply_layer = self._apply_layer  # type: ignore[method-assign]

    def each_whole(self) -> Iterator[int]:
        """Yield the number of each layer while its weights are here; all ranks must go through it."""
        for place in range(len(self._layers)):
            self._fetch(place)
            yield place
            self._release(place)

    def release(self) -> None:
        """Free all that belongs to other ranks."""
        for place in range(len(self._layers)):
            self._release(place)

    def _apply_layer(self, layer: Callable[..., Tensor], x_BSH: Tensor, *others: Tensor) -> Tensor:
        place = self._places[id(layer)]
        if paddle.is_grad_enabled() and not x_BSH.stop_gradient:
            x_BSH = _Mark.apply(x_BSH, partial(self._passed, place))
        return self._apply(partial(self._run, place), x_BSH, *others)

    def _run(self, place: int, *inputs: Tensor) -> Tensor:
        self._fetch(place)
        states: Tensor = self._layers[place](*inputs)
        if not paddle.is_grad_enabled():  # else its backward pass follows, and _passed()
            self._release(place)
        return states

    def _passed(self, place: int) -> None:
        self._release(place)
        self._leave(place)

    @paddle.no_grad()
    def _fetch(self, place: int) -> None:
        """Let all ranks have a layer's weights, slices of one tensor. They come from the first group: the owners of all
        groups have the same."""
        if self._is_here[place]:
            return
        parameters = self._layers[place].parameters()
        sizes = [parameter.size for parameter in parameters]
        if self._is_mine(place):
            flat = paddle.concat([parameter.reshape([-1]) for parameter in parameters])
        else:
            flat = paddle.empty([sum(sizes)], parameters[0].dtype)
        broadcast([flat], self._owner[place])
        if not self._is_mine(place):
            begin = 0
            for parameter, size in zip(parameters, sizes, strict=True):
                flat._slice(begin, begin + size)._share_buffer_to(parameter)
                begin += size
        self._is_here[place] = True

    def _release(self, place: int) -> None:
        if not self._comes_and_goes:
            return
        if not self._is_mine(place):
            for parameter in self._layers[place].parameters():
                parameter._clear_data()
        self._is_here[place] = False

    def _is_mine(self, place: int) -> bool:
        return rank() % self._size == self._owner[place]


class _Mark(PyLayer):  # type: ignore[misc]
    """Changes nothing; tells when the gradient has come back to here."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, passed: Callable[[], None]) -> Tensor:
        ctx.passed = passed
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        ctx.passed()
        return gradient


def _encoder_of(model: nn.Layer) -> Unimo | None:
    return next((one for one in model.sublayers(include_self=True) if isinstance(one, Unimo)), None)


def _gradient(parameter: Tensor) -> Tensor:
    return paddle.zeros(parameter.shape, parameter.dtype) if parameter.grad is None else parameter.grad
