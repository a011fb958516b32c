"""How long it takes to add up numbers over all processes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import paddle

from unimo_paddle.distributed import sum_gradients, sums, world_size
from unimo_paddle.engine.device import synchronise
from unimo_paddle.preflight.findings import FAIL, OK, Finding

MIB = 1 << 20
ROUNDS = 3


def look(parameters: int) -> Iterator[Finding]:
    """Yield the time of sums of several sizes, the last that of a model's gradients; every rank must call it."""
    if world_size() == 1:
        yield Finding(OK, "all-reduce", "one process: nothing to add up")
        return
    for name, size in (("1 MiB", MIB), ("64 MiB", 64 * MIB), ("all gradients", 4 * parameters)):
        is_right, seconds = add_up(size // 4)
        told = f"{seconds * 1000:,.1f} ms, {size / seconds / 1e9:.2f} GB/s among {world_size()} processes"
        yield Finding(OK, f"all-reduce, {name}", told) if is_right else Finding(
            FAIL, f"all-reduce, {name}", "the sum is wrong", "the network or its library is broken: NCCL_DEBUG=INFO "
            "and nccl-tests say more")  # fmt: skip


def add_up(numbers: int) -> tuple[bool, float]:
    """Add up so many ones over all ranks; return whether the sum is right, and the shortest of some times."""
    parameter = paddle.zeros([max(numbers, 1)])
    times = []
    for _ in range(ROUNDS):
        parameter.grad = paddle.ones_like(parameter)
        sums([0.0])  # all begin together
        synchronise()
        begun = time.monotonic()
        sum_gradients([parameter])
        synchronise()
        times.append(time.monotonic() - begun)
    return bool((parameter.grad == float(world_size())).all()), min(times)
