"""Batches of like examples: equal to slow loops, little padding, others in each epoch."""

from typing import Any

import numpy as np
import pytest

from tests.reference import task_stream as oracle
from unimo_paddle.data import task_order
from unimo_paddle.data.task_order import alike, epoch_order, padded_rows


def sizes_of(count: int, images: tuple[int, int], texts: tuple[int, int]) -> Any:
    rng = np.random.default_rng(count)
    return np.stack([rng.integers(*images, count), rng.integers(*texts, count)], axis=1).astype(np.int32)


@pytest.mark.parametrize(("count", "batch", "window"), [(40, 8, 2), (41, 8, 3), (7, 7, 1), (100, 3, 50), (90, 2, 7)])
@pytest.mark.parametrize("images", [(0, 1), (3, 12)])
def test_the_order_of_an_epoch(
    monkeypatch: pytest.MonkeyPatch, count: int, batch: int, window: int, images: tuple[int, int]
) -> None:
    monkeypatch.setattr(task_order, "WINDOW", window)
    sizes = sizes_of(count, images, (3, 9))
    for seed, epoch in ((0, 0), (3, 4)):
        mixed = np.random.default_rng((seed, task_order._ORDER, epoch)).permutation(count).tolist()
        turns = np.random.default_rng((seed, task_order._TURNS, epoch)).permutation(count // batch).tolist()
        wanted = oracle.batches(sizes.tolist(), mixed, turns, batch, window, task_order.STRIPS)
        assert epoch_order(sizes, batch, seed, epoch).tolist() == wanted


@pytest.mark.parametrize(
    ("images", "texts", "most"), [((0, 1), (10, 200), 0.02), ((37, 38), (8, 30), 0.01), ((11, 102), (6, 20), 0.12)]
)
def test_batches_pad_little(images: tuple[int, int], texts: tuple[int, int], most: float) -> None:
    sizes = sizes_of(20_000, images, texts)
    order = epoch_order(sizes, 32, 0, 0)
    assert sorted(order.ravel().tolist()) == list(range(20_000))
    assert 1 - sizes.sum() / padded_rows(order.ravel(), sizes, 32) < most


def test_by_hand() -> None:
    sizes = np.array([[1, 5], [1, 9], [1, 7], [1, 1], [1, 8]], np.int32)
    assert alike(np.arange(5), sizes, 2, 3).tolist() == [1, 4, 2, 0, 3]
    assert padded_rows(np.array([1, 4, 2, 0, 3]), sizes, 2) == 2 * 10 + 2 * 8 + 2
    # Two strips: large images apart from small ones.
    sizes = np.array([[9, 1], [1, 1], [9, 2], [1, 2]], np.int32)
    assert alike(np.arange(4), sizes, 2, 2).tolist() == [2, 0, 3, 1]


def test_an_epoch_is_not_the_next_one() -> None:
    sizes = sizes_of(100, (0, 1), (3, 9))
    assert epoch_order(sizes, 8, 0, 0).tolist() != epoch_order(sizes, 8, 0, 1).tolist()
    assert epoch_order(sizes, 8, 0, 0).tolist() == epoch_order(sizes, 8, 0, 0).tolist()
