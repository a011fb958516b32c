"""Batches of images alone: regions are hidden and have to be restored from the others (paper section 3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data import patterns
from unimo_paddle.data.batch import Batch, VisualPart, pad, visual_labels
from unimo_paddle.data.encode import encode_image
from unimo_paddle.data.masking import mask_regions
from unimo_paddle.data.plan import BatchPlan, micro_batches, require_shares
from unimo_paddle.regions import RegionStore

_HIDDEN = 22  # what a generator is for; data/plan.py and data/stream.py have the other numbers


@dataclass(frozen=True)
class ImageSettings:
    """rows: [IMG] and regions of one step over all ranks, padding counted.  max_regions: of an image, [IMG] not
    counted.  multiple: images of a step are a multiple of it.  region_rate, overlap: paper section 3."""

    rows: int
    max_regions: int
    multiple: int = 1
    region_rate: float = 0.15
    overlap: float = 0.3


class ImageStream:
    """Batches of a region store's images, for one rank of the run: batch(step) is a pure function.

    held_out: ids of images that must not be learnt from: the store knows no splits.

    The batch of all ranks together depends neither on how many they are nor on `accumulate`: each takes its slice and
    cuts it into so many micro-batches, a VisualPart each.
    Raises UserError as BatchPlan does, or when batches cannot be shared out evenly.
    """

    def __init__(
        self,
        store: RegionStore,
        settings: ImageSettings,
        seed: int,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
        held_out: Collection[str] = (),
    ) -> None:
        require_shares(settings.multiple, world, accumulate, "images")
        self._ids, counts = _ids_and_counts(store, held_out)
        sizes = (np.minimum(counts, settings.max_regions) + 1).astype(np.int32)
        self.plan = BatchPlan(sizes, settings.rows, settings.multiple, seed, "images.rows")
        self._store, self._settings, self._seed = store, settings, seed
        self._share = (rank, world, accumulate)

    def batch(self, step: int) -> Batch:
        """Return this rank's images of a step; UserError as the region store and encode_image raise it."""
        rows, epoch = self.plan.batch(step), self.plan.epoch_of(step)
        own = [rows[part].tolist() for part in micro_batches(len(rows), *self._share)]
        parts = tuple(self._part(some, epoch) for some in own)
        return Batch("image", [self._ids[row].as_py() for some in own for row in some], parts)

    def _part(self, rows: list[int], epoch: int) -> VisualPart:
        ids = [self._ids[row].as_py() for row in rows]
        images = [encode_image(self._store.read(i), i, self._settings.max_regions) for i in ids]
        rngs = [np.random.default_rng((self._seed, _HIDDEN, epoch, row)) for row in rows]
        rate, overlap = self._settings.region_rate, self._settings.overlap
        hidden = [mask_regions(image, rng, rate, overlap) for image, rng in zip(images, rngs, strict=True)]
        reads = [patterns.bidirectional(len(image.features), 0) for image in images]
        sequences = pad([one.image for one in hidden], [], reads)
        return VisualPart(sequences, visual_labels(hidden, images, sequences.features.shape[1]))


def _ids_and_counts(store: RegionStore, held_out: Collection[str]) -> tuple[Any, NDArray[np.int64]]:
    """Return the ids of the images, as an Arrow array, which takes a fraction of a list's memory, and their regions."""
    import pyarrow as pa

    ids = [image_id for image_id in store.ids if image_id not in held_out]
    return pa.array(ids, pa.string()), np.fromiter(map(store.count, ids), np.int64, len(ids))
