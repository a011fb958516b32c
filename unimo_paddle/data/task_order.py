"""Which examples make each batch of a task, so that batches pad little and are not the same in every epoch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.encode import Ints

WINDOW = 50  # batches whose examples are sorted by size: more pads less and mixes less
STRIPS = (1, 2, 3, 5, 7, 10, 16, 25, 50)
# What a generator is for; data/stream.py, text_stream.py and plan.py have the other numbers.
_ORDER, _TURNS = 30, 31


def epoch_order(sizes: NDArray[np.int32], batch: int, seed: int, epoch: int) -> Ints:
    """Return the examples of each batch of an epoch, int64 [N // batch, batch]: a pure function.

    sizes: int32 [N, P], rows of each example's P parts that are padded apart. Some examples, fewer than a batch, are
    left out, others in each epoch.
    """
    steps = len(sizes) // batch
    mixed = np.random.default_rng((seed, _ORDER, epoch)).permutation(len(sizes))[: steps * batch]
    batches = alike(mixed, sizes, batch, WINDOW).reshape(steps, batch)
    return batches[np.random.default_rng((seed, _TURNS, epoch)).permutation(steps)]


def alike(rows: Ints, sizes: NDArray[np.int32], batch: int, window: int) -> Ints:
    """Sort the examples of every `window` batches by size, the largest first, so that batches pad little.

    rows: int64 [n], of sizes [N, 2]: image rows and text rows.  A window is cut into strips by the size of images, and
    each strip sorted by texts, with as many strips of STRIPS as pad least: one where all images are of one size.
    """
    orders = [_in_strips(rows, sizes, batch, window, strips) for strips in STRIPS]
    return min(orders, key=lambda order: padded_rows(order, sizes, batch))


def padded_rows(rows: Ints, sizes: NDArray[np.int32], batch: int) -> int:
    """Return how many rows the batches have when each part is padded to its longest; the last one may be smaller."""
    starts = np.arange(0, len(rows), batch)
    counts = np.diff(np.append(starts, len(rows)))
    return int((np.maximum.reduceat(sizes[rows], starts).sum(axis=1) * counts).sum())


def _in_strips(rows: Ints, sizes: NDArray[np.int32], batch: int, window: int, strips: int) -> Ints:
    place = np.arange(len(rows))
    number = place // (batch * window)
    by_image = rows[np.lexsort((-sizes[rows, 0], number))]
    strip = place // batch % window // -(-window // strips)
    return by_image[np.lexsort((-sizes[by_image, 1], strip, number))]
