"""The only importer of paddle.distributed: which process of how many this is, and what they compute together.

One process alone connects to nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from unimo_paddle.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from paddle import Tensor

BUCKET_BYTES = 64 * 2**20  # small tensors travel together; more at once only costs memory

_replayed: list[tuple[int, int]] = []


def rank() -> int:
    """Return this process's number, 0 when it was not started by Paddle's launcher."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """Return how many processes the launcher started, 1 without it."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def local_rank() -> int:
    """Return this process's number on its node: the GPU it takes, and who does what a node does once."""
    return int(os.environ.get("PADDLE_RANK_IN_NODE", "0"))


def sums(values: Sequence[float]) -> list[float]:
    """Return each value's sum over all ranks, in float64; every rank must call it with as many values."""
    if world_size() == 1:
        return list(values)
    import paddle

    total = paddle.to_tensor(list(values), "float64")
    _connected().all_reduce(total)
    return [float(value) for value in total.numpy()]


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Add up each parameter's gradient over all ranks, in place.

    A parameter has a gradient on all ranks or on none, and all ranks name them in the same order. Paddle's
    fused_allreduce_gradients does the same, but copies all gradients at once, which doubles their memory.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if world_size() > 1 and gradients:
        _in_buckets(gradients, _connected().all_reduce)


def sum_for(tensor: Tensor, owner: int, group: int) -> None:
    """Add up the tensor over all ranks, in place, for those whose number modulo `group` is `owner`; on the others it is
    of no use afterwards.

    Where there is one owner it is reduced to him, half of what all_reduce sends. Of several, in as many groups, all get
    it: ranks are one group for Paddle (see _connected).
    """
    if world_size() == 1:
        return
    if group == world_size():
        _connected().reduce(tensor, dst=owner)
    else:
        _connected().all_reduce(tensor)


def broadcast(tensors: Sequence[Tensor], source: int) -> None:
    """Give the tensors of rank `source` to all ranks, in place."""
    if world_size() > 1 and tensors:
        distributed = _connected()
        _in_buckets(tensors, lambda tensor: distributed.broadcast(tensor, src=source))


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all ranks, float [world * B, ..], in the order of the ranks; gradients find their way back.

    rows: float [B, ..], of the same shape on every rank. What a rank's own loss says about another's rows is sent
    there: summed over ranks, gradients are those of the sum of all ranks' losses.
    """
    if _replayed:
        return _among_absent(rows, *_replayed[-1])
    if world_size() == 1:
        return rows
    return _gather_function().apply(rows)


@contextmanager
def replayed(rank: int, world: int) -> Iterator[None]:
    """In the block, gather_rows() gives what rank `rank` of `world` got, with zeros for the rows of the others, who are
    not there: one process can look at what another one did."""
    _replayed.append((rank, world))
    try:
        yield
    finally:
        _replayed.pop()


def sum_array(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of the arrays of all ranks, float32 of their common shape; every rank must call it."""
    import paddle

    total = paddle.to_tensor(values)
    _connected().all_reduce(total)
    found: NDArray[np.float32] = total.numpy()
    return found


def gather_texts(text: str) -> list[str]:
    """Return the text of every rank, in their order; every rank must call it."""
    if world_size() == 1:
        return [text]
    import numpy as np
    import paddle

    own = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    mine = [0.0] * world_size()
    mine[rank()] = float(len(own))
    lengths = [int(length) for length in sums(mine)]
    row = np.zeros(max(1, *lengths), np.int32)
    row[: len(own)] = own
    gathered: list[Tensor] = []
    _connected().all_gather(gathered, paddle.to_tensor(row))
    rows = [tensor.numpy()[:length] for tensor, length in zip(gathered, lengths, strict=True)]
    return [found.astype(np.uint8).tobytes().decode() for found in rows]


def require_same(what: str, number: int) -> None:
    """Raise UserError naming the ranks whose number, below 2 ** 53, is not that of rank 0. what: it stands for."""
    mine = [0.0] * world_size()
    mine[rank()] = float(number)
    everyone = sums(mine)
    other = [str(place) for place, one in enumerate(everyone) if one != everyone[0]]
    if other:
        raise UserError(
            f"processes {', '.join(other)} of {world_size()} have other {what} than process 0: start all of them with "
            f"the same command on the same files"
        )


def recomputed(layer: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Return layer(*inputs), of which only the inputs are kept: the gradient runs the layer once more, with the same
    dropout."""
    from paddle.distributed.fleet.utils import recompute

    found: Tensor = recompute(layer, *inputs)
    return found


def _connected() -> Any:
    """Return paddle.distributed, connected to the other ranks: one group, of all of them.

    More groups, as fleet.init makes a dozen, are not for gloo: Paddle connects each one twice under the same keys of
    its store, so a rank that is quick may read where a slower one listened the first time, and is refused. With four
    processes on a CPU fleet.init(sharding_degree=2) failed in 6 starts of 6; with one group it is rare.
    """
    from paddle import distributed

    if not distributed.is_initialized():
        distributed.init_parallel_env()
    return distributed


def _in_buckets(tensors: Sequence[Tensor], act: Callable[[Tensor], Any]) -> None:
    """Let `act` change the tensors in place, small ones of a type joined to one."""
    import paddle

    with paddle.no_grad():
        for bucket in buckets(tensors, BUCKET_BYTES):
            if len(bucket) == 1:
                act(bucket[0])
                continue
            flat = paddle.concat([tensor.reshape([-1]) for tensor in bucket])
            act(flat)
            for tensor, piece in zip(bucket, paddle.split(flat, [tensor.size for tensor in bucket]), strict=True):
                paddle.assign(piece.reshape(tensor.shape), tensor)


def buckets(tensors: Sequence[Tensor], most: int) -> list[list[Tensor]]:
    """Return runs of neighbouring tensors of one type and at most `most` bytes; a larger tensor is one by itself."""
    runs: list[list[Tensor]] = []
    filled = 0
    for tensor in tensors:
        size = tensor.size * tensor.element_size()
        if not runs or filled + size > most or runs[-1][0].dtype != tensor.dtype:
            runs.append([])
            filled = 0
        runs[-1].append(tensor)
        filled += size
    return runs


def _among_absent(rows: Tensor, rank: int, world: int) -> Tensor:
    import paddle

    nothing = paddle.zeros_like(rows)
    return paddle.concat([rows if place == rank else nothing for place in range(world)])


def _gather_function() -> Any:
    import paddle
    from paddle.autograd import PyLayer

    class GatherRows(PyLayer):  # type: ignore[misc]
        """paddle.distributed.all_gather itself carries no gradient."""

        @staticmethod
        def forward(ctx: Any, rows: Tensor) -> Tensor:
            gathered: list[Tensor] = []
            _connected().all_gather(gathered, rows.contiguous())
            ctx.rows = rows.shape[0]
            return paddle.concat(gathered)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            total = gradient.clone()
            _connected().all_reduce(total)
            return total[rank() * ctx.rows : (rank() + 1) * ctx.rows]

    return GatherRows
