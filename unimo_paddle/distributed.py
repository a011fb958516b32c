"""The only importer of paddle.distributed: which process of how many this is, and what they compute together.

One process alone loads nothing of it and connects to nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paddle import Tensor


def rank() -> int:
    """Return this process's number, 0 when it was not started by Paddle's launcher."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """Return how many processes the launcher started, 1 without it."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def sums(values: Sequence[float]) -> list[float]:
    """Return each value's sum over all ranks, in float64; every rank must call it with as many values."""
    if world_size() == 1:
        return list(values)
    import paddle

    total = paddle.to_tensor(list(values), "float64")
    _connected().all_reduce(total)
    return [float(value) for value in total.numpy()]


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all ranks, float [world * B, ..], in the order of the ranks; gradients find their way back.

    rows: float [B, ..], of the same shape on every rank. What a rank's own loss says about another's rows is sent
    there: summed over ranks, gradients are those of the sum of all ranks' losses.
    """
    if world_size() == 1:
        return rows
    return _gather_function().apply(rows)


def _connected() -> Any:
    """Return paddle.distributed, connected to the other ranks."""
    from paddle import distributed

    if not distributed.is_initialized():
        distributed.init_parallel_env()
    return distributed


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
