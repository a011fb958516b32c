"""Batches come ahead, in order, and a fault comes with its own step."""

import threading
import time

import pytest

from unimo_paddle.data.prefetch import Prefetch
from unimo_paddle.errors import UserError


def threads() -> int:
    return sum(thread.name.startswith("prefetch") for thread in threading.enumerate())


def test_prefetch_gives_the_same_batches() -> None:
    with Prefetch(lambda step: [step, step * step], start=2) as ahead:
        assert [ahead.batch(step) for step in range(2, 8)] == [[step, step * step] for step in range(2, 8)]


def test_prefetch_computes_in_order_and_ahead_but_not_without_bound() -> None:
    computed: list[int] = []

    def compute(step: int) -> int:
        computed.append(step)
        return 10 * step

    with Prefetch(compute, start=5, depth=2) as ahead:
        assert [ahead.batch(step) for step in (5, 6, 7)] == [50, 60, 70]
        deadline = time.monotonic() + 5
        while len(computed) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert computed == [5, 6, 7, 8, 9]
        assert ahead.batch(3) == 30 and ahead.batch(4) == 40  # a step out of order is right too
    assert threads() == 0


def test_prefetch_passes_a_fault_on_at_its_step() -> None:
    def compute(step: int) -> int:
        if step == 2:
            raise UserError("shard 2 is damaged")
        return step

    with Prefetch(compute) as ahead:
        assert [ahead.batch(0), ahead.batch(1)] == [0, 1]
        with pytest.raises(UserError, match="shard 2"):
            ahead.batch(2)
        assert ahead.batch(3) == 3
    assert threads() == 0
