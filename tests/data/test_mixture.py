import time
from collections import Counter

import numpy as np
import pytest

from unimo_paddle.data.batch import Batch
from unimo_paddle.data.mixture import Mixture
from unimo_paddle.errors import UserError


class Counting:
    """A stream whose batch says which step of it was asked for."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def batch(self, step: int) -> Batch:
        return Batch(self.kind, [str(step)], ())


def mixture(seed: int = 0, **weights: float) -> Mixture:
    return Mixture({kind: (Counting(kind), weight) for kind, weight in weights.items()}, seed)


@pytest.mark.parametrize("seed", [0, 1, 77])
@pytest.mark.parametrize("weights", [(1, 1, 1), (5, 1, 4), (0.7, 0.29, 0.01), (1, 1000, 3)])
def test_shares_are_exact_to_a_thousandth(seed: int, weights: tuple[float, float, float]) -> None:
    ours = mixture(seed, text=weights[0], image=weights[1], pair=weights[2])
    kinds = [ours.kind(step) for step in range(10_000)]
    for begin in (0, 5000):   # a stretch of half the length, too, at half the precision
        counts = Counter(kinds[begin:])
        for kind, weight in zip(("text", "image", "pair"), weights, strict=True):
            assert abs(counts[kind] / len(kinds[begin:]) - weight / sum(weights)) < 1e-3 * (1 + (begin > 0))


def test_every_stream_counts_its_own_steps() -> None:
    ours, seen = mixture(3, text=2, image=1, pair=2), Counter[str]()
    for step in range(9_000):   # over the ends of two blocks
        kind = ours.kind(step)
        if step % 97 == 0 or step % 4096 in (0, 1, 4095):
            batch = ours.batch(step)
            assert (batch.kind, batch.ids) == (kind, [str(seen[kind])]) and ours.own_step(step) == seen[kind]
        seen[kind] += 1


def test_pure_function_of_seed_and_step() -> None:
    steps = [400_000, 5, 399_999, 0]
    one, same, other = mixture(1, text=1, pair=2), mixture(1, text=1, pair=2), mixture(2, text=1, pair=2)
    wanted = [(one.kind(step), one.own_step(step)) for step in steps]
    assert [(same.kind(step), same.own_step(step)) for step in reversed(steps)] == wanted[::-1]
    assert [other.kind(step) for step in range(50)] != [one.kind(step) for step in range(50)]
    longest = max(len(run) for run in "".join(one.kind(step)[0] for step in range(1000)).split("t"))
    assert longest <= 4   # evenly spread: two in three are pairs


def test_a_late_step_is_reached_at_once() -> None:
    begun, ours = time.process_time(), mixture(1, text=1, image=1, pair=2)
    share = {"text": 0.25, "image": 0.25, "pair": 0.5}[ours.kind(2_000_000)]
    assert ours.own_step(2_000_000) == pytest.approx(2_000_000 * share, abs=20)
    assert time.process_time() - begun < 2


def test_a_kind_without_weight_never_comes() -> None:
    ours = mixture(text=0, image=0, pair=1)
    assert {ours.kind(step) for step in range(100)} == {"pair"}
    assert [ours.own_step(step) for step in range(5)] == list(range(5))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_none(weight: float) -> None:
    with pytest.raises(UserError, match=f"images.weight: image {np.float64(weight)}; numbers from 0 up"):
        mixture(text=1.0, image=weight)
    with pytest.raises(UserError, match="none is above 0"):
        mixture(text=0, image=0)
