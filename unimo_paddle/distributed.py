"""The only importer of paddle.distributed: which process of how many this is, and what they compute together."""

from __future__ import annotations

import os
from collections.abc import Sequence


def rank() -> int:
    """Return this process's number, 0 when it was not started by Paddle's launcher."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def world_size() -> int:
    """Return how many processes the launcher started, 1 without it."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def mean(values: Sequence[float]) -> list[float]:
    """Return each value's mean over all ranks; every rank must call it with as many values.

    One process alone loads nothing and connects to nothing.
    """
    if world_size() == 1:
        return list(values)
    import paddle
    from paddle import distributed

    if not distributed.is_initialized():
        distributed.init_parallel_env()
    total = paddle.to_tensor(list(values), "float64")
    distributed.all_reduce(total)
    return [float(value) / world_size() for value in total.numpy()]
