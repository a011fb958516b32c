"""Where each image of a store is: about 45 bytes an image however long the ids are, so that millions fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.region_shards import Shard, ShardFile, read_shard

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """One image: its shard's number, its rows in the shard's arrays, its size in pixels."""

    shard: int
    rows: slice
    width: int
    height: int


class ImageIndex:
    """Finds images by id. Ids are kept as 64-bit hashes; `ids` reads the names from the shards again.

    That an id which is not stored is taken for one of n that are happens with probability n / 2^64, below 1e-12 for any
    store that fits a disk. Ids that are stored and share a hash are told apart by their names.
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.files: list[ShardFile] = []
        hashes, counts, widths, heights, sizes = [], [], [], [], []
        for shard in shards:
            self.files.append(shard.file)
            sizes.append(len(shard.ids))
            hashes.append(_hashes(shard.ids))
            counts.append(np.array(shard.counts, np.uint32))
            widths.append(np.array(shard.widths, np.uint32))
            heights.append(np.array(shard.heights, np.uint32))
        self._first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._widths, self._heights = _joined(widths, np.uint32), _joined(heights, np.uint32)
        self._starts = np.concatenate([[0], np.cumsum(_joined(counts, np.uint32), dtype=np.int64)])
        found = _joined(hashes, np.int64)
        self._order = np.argsort(found, kind="stable").astype(np.uint32)
        self._hashes = found[self._order]
        self._twins, self._doubled = self._find_twins()

    def __len__(self) -> int:
        return len(self._hashes) - len(self._doubled)

    @property
    def ids(self) -> Iterator[str]:
        """Yield the ids in the order in which they were stored, each once."""
        number = 0
        for file in self.files:
            for image_id in read_shard(file.path).ids:
                if number not in self._doubled:
                    yield image_id
                number += 1

    @property
    def counts(self) -> Ints:
        """How many regions each image has, in the order in which they were stored."""
        return np.diff(self._starts)

    def find(self, image_id: object) -> Place | None:
        """Return where an image is, or None when it is not stored."""
        number = self._twins.get(image_id, -1) if image_id in self._twins else self._by_hash(image_id)
        if number < 0:
            return None
        shard = int(np.searchsorted(self._first, number, "right")) - 1
        base = self._starts[self._first[shard]]
        begin, end = (int(self._starts[number + i] - base) for i in (0, 1))
        return Place(shard, slice(begin, end), int(self._widths[number]), int(self._heights[number]))

    def _by_hash(self, image_id: object) -> int:
        wanted = hash(image_id)
        place = int(np.searchsorted(self._hashes, wanted))
        is_there = place < len(self._hashes) and self._hashes[place] == wanted
        return int(self._order[place]) if is_there else -1

    def _find_twins(self) -> tuple[dict[object, int], set[int]]:
        """Return the numbers of images that share a hash, by id, and those whose id comes again later."""
        same = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        shared = np.sort(self._order[np.union1d(same, same + 1)]).tolist()
        twins, doubled = dict[object, int](), set[int]()
        for number in shared:  # rare: two extractions of one image, or two ids of one hash
            shard = int(np.searchsorted(self._first, number, "right")) - 1
            image_id = read_shard(self.files[shard].path).ids[number - int(self._first[shard])]
            if image_id in twins:
                doubled.add(twins[image_id])
            twins[image_id] = number
        return twins, doubled


def _hashes(ids: list[str]) -> Ints:
    return np.fromiter(map(hash, ids), np.int64, len(ids))  # Python's own SipHash, 64 bits, keyed anew in each process


def _joined(parts: list[NDArray[Any]], kind: Any) -> NDArray[Any]:
    """Join the parts and let them go, so that a large store is not in memory twice."""
    whole = np.concatenate(parts) if parts else np.zeros(0, kind)
    parts.clear()
    return whole
