"""The work of one extracting process: slices of images into shards of a store that another process holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unimo_paddle.region_parts import Part, shard_path, write_arrays
from unimo_paddle.region_shards import Encoded, StoreMeta, encode, region_faults
from unimo_paddle.regions import Regions
from unimo_paddle.vision.pictures import Unreadable, read_ahead, readable, same_shape_batches
from unimo_paddle.vision.slices import Slice
from unimo_paddle.workers.crew import WORKER

if TYPE_CHECKING:  # loads PaddleDetection, which the process that only enters shards never needs
    from unimo_paddle.vision.extractor import Extractor


@dataclass(frozen=True)
class Outcome:
    """What became of a slice. part: its shard, None when no image could be read.  images: how many were tried."""

    part: Part | None
    skipped: list[Unreadable]
    images: int


@dataclass(frozen=True)
class MakeExtraction:
    """Makes a worker's work.

    changes: fields of Choice that are wanted otherwise than the detector's folder says.  store, meta: to be filled.
    decoders: threads that read images.  batch: images at a time.
    """

    detector: Path
    changes: Mapping[str, Any]
    store: Path
    meta: StoreMeta
    decoders: int
    batch: int

    def __call__(self) -> Extraction:
        """Load the detector, which takes seconds."""
        from unimo_paddle.vision.detector import load_detector
        from unimo_paddle.vision.extractor import Extractor

        _take_device()
        stored = load_detector(self.detector)
        stored = replace(stored, choice=replace(stored.choice, **self.changes))
        return Extraction(self, Extractor(stored, threads=1))


class Extraction:
    """Turns a slice into a shard; called once for each slice."""

    def __init__(self, made: MakeExtraction, extractor: Extractor) -> None:
        self._made, self._extractor = made, extractor

    def __call__(self, part: Slice) -> Outcome:
        """Extract a slice and write the arrays of its shard, the images in the slice's order."""
        skipped, found, meta = list[Unreadable](), dict[str, Encoded](), self._made.meta
        places = dict(part.images)
        for image_id, regions in self._regions(part, skipped):
            if faults := "; ".join(region_faults(regions, meta)):
                place = places[image_id]
                skipped.append(Unreadable(image_id, place, f"{place}: what was found cannot be stored: {faults}"))
            else:
                found[image_id] = encode(regions, meta)
        ordered = {image_id: found[image_id] for image_id in places if image_id in found}
        path = shard_path(self._made.store, part.number)
        return Outcome(write_arrays(path, ordered, meta) if ordered else None, skipped, len(part.images))

    def _regions(self, part: Slice, skipped: list[Unreadable]) -> Iterator[tuple[str, Regions]]:
        shape = self._extractor.settings
        decoded = read_ahead(
            part.images, shape.short_side, shape.long_side, shape.kind.multiple, threads=self._made.decoders
        )
        for pictures in same_shape_batches(readable(decoded, skipped), self._made.batch):
            yield from zip((picture.id for picture in pictures), self._extractor(pictures), strict=True)


def count_gpus() -> int:
    """Return how many GPUs this Paddle can use."""
    import paddle

    return int(paddle.device.cuda.device_count()) if paddle.device.is_compiled_with_cuda() else 0


def _take_device() -> None:
    """Let this worker use the GPU that its number falls to, and one thread besides: the workers share the cores."""
    import paddle

    paddle.base.core.set_num_threads(1)
    if gpus := count_gpus():
        paddle.device.set_device(f"gpu:{int(os.environ.get(WORKER, 0)) % gpus}")
