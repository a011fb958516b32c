"""The images of an extraction cut into slices, each of which becomes one shard of the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from unimo_paddle.vision.pictures import Place

Images = Sequence[tuple[str, Place]]
FEWEST, MOST, WANTED = 32, 250, 32  # images of a slice, and how many slices there should be unless these forbid it


@dataclass(frozen=True)
class Slice:
    """Images that go into one shard. number: of the shard."""

    number: int
    images: Images

    def __str__(self) -> str:
        return f"images {self.images[0][0]!r} to {self.images[-1][0]!r}"


def slice_size(images: int) -> int:
    """Return how many images a slice has: few enough to keep workers busy to the end, enough to make good batches.

    >>> slice_size(49), slice_size(4000), slice_size(10**6)
    (32, 125, 250)
    """
    return min(MOST, max(FEWEST, images // WANTED))


def cut(images: Images, size: int, done: Collection[str], taken: Collection[int]) -> list[Slice]:
    """Return the slices that are still to be worked on.

    done: ids that are stored.  taken: numbers of the shards there are. The k-th `size` images become shard k, so that a
    run that was killed ends with the same shards as one that was not. What is missing of a shard that is there already
    (images that could not be read, or that were added to the list) comes last, under numbers of its own.
    """
    slices, late = [], list[tuple[str, Place]]()
    for number, group in enumerate(_batched(images, size)):
        left = [image for image in group if image[0] not in done]
        if number in taken:
            late += left
        elif left:
            slices.append(Slice(number, left))
    first = max([-(-len(images) // size) - 1, *taken]) + 1
    return slices + [Slice(first + k, group) for k, group in enumerate(_batched(late, size))]


def _batched(images: Iterable[tuple[str, Place]], size: int) -> Iterator[list[tuple[str, Place]]]:
    rest = iter(images)
    while group := list(islice(rest, size)):
        yield group
