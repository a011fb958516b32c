"""Which examples make each batch when a batch has a budget of rows and its examples are of similar size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError

Ints = NDArray[np.int64]

# The largest size of a bucket over its smallest. More mixes a batch better and pads it more: half of the excess.
SPREAD = 1.05
_EXAMPLES, _BATCHES = 20, 21  # what a generator is for; data/stream.py has the other numbers


class _Epoch(NamedTuple):
    """order: [N - left out] examples, batch after batch; turns: [batches], which batch comes when."""

    number: int
    order: Ints
    turns: Ints


class BatchPlan:
    """Batches without end: batch(step) is a pure function of (seed, step), and takes no longer at a late step.

    Examples are sorted into buckets of nearly equal size.  Each epoch shuffles every bucket, lays the buckets end to
    end, the smallest sizes first, and cuts batches as large as the budget allows, wherever a bucket ends; they come in
    random order.  Where the cuts are depends on the sizes alone, so that all epochs have the same number of batches.
    sizes: int32 [N] or [N, P], rows of each example before padding, or of each of its P parts that are padded apart
    (image and text), at least 1.  rows: of a batch, padding counted.  multiple: each batch has a multiple of so many
    examples; `left_out` examples, fewer than that, are missing in each epoch, others each time.  batches: of an epoch.
    setting: what gives the rows, for messages.  Of the last epoch that was asked for, 8 bytes an example are held.
    Raises UserError when the largest example does not fit the budget `multiple` times, or there are too few examples.
    """

    def __init__(
        self, sizes: NDArray[np.int32], rows: int, multiple: int, seed: int, setting: str = "rows"
    ) -> None:
        sizes = sizes.reshape(len(sizes), -1)
        if len(sizes) < multiple:
            raise UserError(
                f"there are {len(sizes)} examples for batches of {setting}, which come in multiples of {multiple}: "
                f"lower data.multiple"
            )
        assert sizes.min() >= 1, f"an example has {sizes.min()} rows"
        largest = int(sizes.max(axis=0).sum())
        if largest * multiple > rows:
            raise UserError(
                f"{setting} is {rows}, but a batch of {multiple} examples (data.multiple) of the largest size, "
                f"{largest} rows each, needs {largest * multiple}: raise it, or lower data.multiple"
            )
        self._sizes, self._seed, self.left_out = sizes, seed, len(sizes) % multiple
        self._bucket, caps = _buckets(sizes)
        populations = np.bincount(self._bucket, minlength=len(caps))
        # The order of an epoch without its left-out examples: the last ones of the largest buckets.
        gone = _spread_out(populations, self.left_out)
        ends = np.cumsum(populations)
        self._missing = np.concatenate([np.arange(end - n, end) for end, n in zip(ends, gone, strict=True)])
        self._bounds = np.array([*_cuts(populations - gone, caps, rows, multiple)], np.int64)
        self.batches = len(self._bounds) - 1
        self._last: _Epoch | None = None

    def batch(self, step: int) -> Ints:
        """Return the numbers of the examples of a step: int64 [n]."""
        epoch = self._epoch(self.epoch_of(step))
        turn = epoch.turns[step % self.batches]
        return epoch.order[self._bounds[turn] : self._bounds[turn + 1]]

    def epoch_of(self, step: int) -> int:
        """Return how many times the examples have been gone through before a step."""
        return step // self.batches

    def padding(self, epoch: int = 0) -> float:
        """Return which share of the rows of an epoch's batches is padding, when each is padded to its largest."""
        sizes = self._sizes[self._epoch(epoch).order]
        rows = np.maximum.reduceat(sizes, self._bounds[:-1]).sum(axis=1) * np.diff(self._bounds)
        return 1 - int(sizes.sum(dtype=np.int64)) / int(rows.sum())

    def _epoch(self, number: int) -> _Epoch:
        found = self._last
        if found is None or found.number != number:
            mixed = np.random.default_rng((self._seed, _EXAMPLES, number)).permutation(len(self._sizes))
            # Buckets are few: a stable sort of 16-bit numbers takes linear time.
            order = mixed[np.argsort(self._bucket[mixed], kind="stable")]
            turns = np.random.default_rng((self._seed, _BATCHES, number)).permutation(self.batches)
            self._last = found = _Epoch(number, np.delete(order, self._missing), turns)
        return found


def _buckets(sizes: NDArray[np.int32]) -> tuple[NDArray[np.uint16], Ints]:
    """Return the bucket of each example, uint16 [N], and the largest size of each part in each bucket, [buckets, P].

    Several parts make a grid of buckets. It is walked to and fro, so that neighbours are alike in every part.
    """
    bucket, caps = np.zeros(len(sizes), np.uint16), np.zeros((1, 0), np.int64)
    for column in sizes.T:
        own, own_caps = _ranges(column)
        count = len(own_caps)
        forth = bucket % 2 == 0
        cell = bucket.astype(np.int64) * count + np.where(forth, own, count - 1 - own)
        used = np.flatnonzero(np.bincount(cell))
        before, place = used // count, used % count
        own_of_cell = np.where(before % 2 == 0, place, count - 1 - place)
        caps = np.concatenate([caps[before], own_caps[own_of_cell, None]], axis=1)
        number = np.zeros(used[-1] + 1, np.uint16)
        number[used] = np.arange(len(used))
        bucket = number[cell]
    return bucket, caps


def _ranges(sizes: NDArray[np.int32]) -> tuple[NDArray[np.int64], Ints]:
    """Return the range of nearly equal sizes that each size is in, int64 [N], and the largest of each, ascending."""
    found = np.unique(sizes)
    range_of, caps = np.zeros(int(found[-1]) + 1, np.int64), list[int]()
    while len(found):
        inside = found[found <= found[0] * SPREAD]
        range_of[inside] = len(caps)
        caps.append(int(inside[-1]))
        found = found[len(inside) :]
    return range_of[sizes], np.array(caps, np.int64)


def _spread_out(populations: Ints, count: int) -> Ints:
    """Take `count` from the fullest buckets, where the same ones are rarely met again: how many from each."""
    taken = np.zeros_like(populations)
    for bucket in np.argsort(-populations, kind="stable"):
        taken[bucket] = min(populations[bucket], count)
        count -= int(taken[bucket])
    return taken


def _cuts(populations: Ints, caps: Ints, rows: int, multiple: int) -> Iterator[int]:
    """Yield where batches begin, and at last the end, in examples that are sorted by bucket."""
    ends = np.cumsum(populations).tolist()
    start, bucket = 0, 0
    yield start
    while start < ends[-1]:
        while ends[bucket] <= start:
            bucket += 1
        size = _reach(start, ends[bucket:], caps[bucket:], rows, multiple)
        for _ in range(max(1, (ends[bucket] - start) // size)):
            start += size
            yield start


def _reach(start: int, ends: list[int], caps: Ints, rows: int, multiple: int) -> int:
    """Return the size of the largest batch from `start` on, whose bucket is the first one."""
    best, largest = 0, np.zeros_like(caps[0])
    for end, cap in zip(ends, caps, strict=True):
        largest = np.maximum(largest, cap)
        count = rows // int(largest.sum()) // multiple * multiple  # examples of a batch that reaches into this bucket
        if count <= best:
            break
        best = max(best, min(count, end - start) // multiple * multiple)
    return best


def micro_batches(count: int, rank: int, world: int, accumulate: int) -> list[slice]:
    """Cut one rank's share of `count` examples into micro-batches."""
    size, rest = divmod(count, world * accumulate)
    assert rest == 0, (count, world, accumulate)
    first = rank * accumulate * size
    return [slice(start, start + size) for start in range(first, first + accumulate * size, size)]


def require_shares(multiple: int, world: int, accumulate: int, what: str) -> None:
    """Raise UserError unless a batch of `multiple` examples can be shared out evenly."""
    if multiple % (world * accumulate):
        raise UserError(
            f"batches of {what} are multiples of {multiple} (data.multiple), which cannot be shared out evenly to "
            f"{world} processes with {accumulate} micro-batches each (train.accumulate): make it a multiple "
            f"of {world * accumulate}"
        )
