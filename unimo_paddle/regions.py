"""The region store: what a detector saw in each image, on the disk in float16, read through memory maps.

A store is a folder: `regions.json` (StoreMeta) and shards (see region_shards.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import leftovers, lock_directory, write_json
from unimo_paddle.region_index import ImageIndex
from unimo_paddle.region_parts import enter, shard_path, write_arrays
from unimo_paddle.region_shards import (
    META_FILE,
    SCHEMA,
    Encoded,
    Regions,
    ShardFile,
    StoreMeta,
    decode,
    encode,
    meta_faults,
    read_meta,
    read_shards,
    region_faults,
    require_fit,
    unknown_ids,
)
from unimo_paddle.region_verify import verify

__all__ = ["RegionStore", "RegionStoreWriter", "Regions", "StoreMeta", "verify"]


class RegionStore:
    """A store to read from: random access by image id, files mapped when first needed, fit for several processes."""

    def __init__(self, path: Path | str, checked: bool = False) -> None:
        """Read the index; UserError when there is no store, or it is of another schema or broken.

        checked: whether a shard's checksum is compared before its first image is read, which reads the whole shard; for
        those who copy numbers or tell about them.
        """
        self.path, self._checked = Path(path), checked
        if not (self.path / META_FILE).is_file():
            raise UserError(f"{self.path} is no region store ({META_FILE} is missing); make one with tools/extract.py")
        self.meta = read_meta(self.path)
        self._index = ImageIndex(read_shards(self.path))
        require_fit(self.path, self.meta, self._index.files)
        self._arrays: dict[int, dict[str, NDArray[Any]]] = {}

    def __reduce__(self) -> tuple[type[RegionStore], tuple[Path, bool]]:
        return RegionStore, (self.path, self._checked)

    @property
    def ids(self) -> list[str]:
        """Image ids in the order in which they were stored; read from the shards each time, for they take memory."""
        return list(self._index.ids)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def region_counts(self) -> NDArray[np.int64]:
        """How many regions each image has, in the order of the shards: int64 [images]."""
        return self._index.counts

    def __contains__(self, image_id: object) -> bool:
        return self._index.find(image_id) is not None

    def count(self, image_id: str) -> int:
        """Return how many regions an image has, 0 when it is not stored."""
        place = self._index.find(image_id)
        return place.rows.stop - place.rows.start if place else 0

    def feature_statistics(self, images: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and deviation of the features over the regions of at most `images` images, evenly chosen.

        Both float32 [D]. No deviation is below a hundredth of their root mean square: a number that hardly ever varies
        would else drown the others, once divided by it.
        """
        chosen = self.ids[:: max(1, len(self) // images)][:images]
        features = np.concatenate([self.read(image_id).features for image_id in chosen]).astype(np.float64)
        spread = features.std(axis=0)
        least = 0.01 * float(np.sqrt(np.mean(spread**2))) or 1.0
        return features.mean(axis=0).astype(np.float32), np.maximum(spread, least).astype(np.float32)

    def require_whole(self) -> None:
        """Raise UserError naming every shard that is missing or cut short, before hours of work meet the first one."""
        faults = [fault for file in self._index.files if (fault := file.size_fault(self.meta))]
        if faults:
            raise UserError("\n  ".join(faults))

    def read(self, image_id: str, probabilities: bool = True) -> Regions:
        """Return an image's regions; UserError when the id is not stored or its shard is damaged.

        Probabilities beyond the kept ones are lost: what remains of 1 is spread evenly over the other classes.
        probabilities: False leaves them out (class_probs float32 [N, 0], no attributes), for those who look at features
        and boxes alone: at 1,601 classes, that takes a fraction of the time.
        """
        stored = self.read_encoded(image_id)
        fault = unknown_ids(stored.arrays, self.meta) if probabilities and not self._checked else ""
        if fault:
            raise UserError(f"{self.path}: image {image_id!r}: {fault}")
        return decode(stored, self.meta, probabilities)

    def read_encoded(self, image_id: str) -> Encoded:
        """Return an image as it is stored, to be copied to another store; UserError as `read` says."""
        place = self._index.find(image_id)
        if place is None:
            raise UserError(f"image {image_id!r} is not in the region store {self.path}; extract it first")
        if place.shard not in self._arrays:
            self._arrays[place.shard] = self._mapped(self._index.files[place.shard])
        arrays = self._arrays[place.shard]
        return Encoded({name: array[place.rows] for name, array in arrays.items()}, place.width, place.height)

    def _mapped(self, file: ShardFile) -> dict[str, NDArray[Any]]:
        if self._checked and (fault := file.content_fault(self.meta)):
            raise UserError(f"{fault}; tools/extract.py verify --store {self.path} finds all such shards")
        arrays = file.arrays(self.meta)
        if self._checked and (fault := unknown_ids(arrays, self.meta)):
            raise UserError(f"{file.path}: {fault}")
        return arrays


class RegionStoreWriter:
    """Appends images to a store; used as a context manager, which holds the store's lock.

    `done` holds the ids that are in complete shards: a killed run goes on from there. Leaving the block without an
    error writes the last, smaller shard.
    """

    def __init__(self, path: Path | str, meta: StoreMeta, images_per_shard: int) -> None:
        """Open or create; UserError when another process writes to it or another detector or choice made it."""
        assert images_per_shard > 0
        if faults := [*meta_faults(asdict(meta))]:
            raise UserError(f"{path}: a region store cannot hold this: {'; '.join(faults)}")
        self.path, self.meta, self.images_per_shard = Path(path), meta, images_per_shard
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = lock_directory(self.path)
        try:
            leftovers(self.path)
            self._agree()
            self.done = self._stored()
        except BaseException:
            os.close(self._lock)
            raise
        self._waiting: dict[str, Encoded] = {}
        self._number = 0

    def __enter__(self) -> RegionStoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._write_shard()
        finally:
            os.close(self._lock)

    def append(self, image_id: str, regions: Regions) -> None:
        """Add an image; UserError naming it and everything that is wrong with it."""
        faults = [*region_faults(regions, self.meta), *self._id_faults(image_id)]
        if faults:
            raise UserError(f"image {image_id!r}: {'; '.join(faults)}")
        self._wait(image_id, encode(regions, self.meta))

    def append_encoded(self, image_id: str, stored: Encoded) -> None:
        """Add an image of another store of the same layout, bit for bit; UserError when the id is stored already."""
        for fault in self._id_faults(image_id):
            raise UserError(f"image {image_id!r}: {fault}")
        self._wait(image_id, stored)

    def _id_faults(self, image_id: str) -> Iterator[str]:
        if image_id in self.done or image_id in self._waiting:
            yield "it is stored already"

    def _wait(self, image_id: str, stored: Encoded) -> None:
        self._waiting[image_id] = stored
        if len(self._waiting) == self.images_per_shard:
            self._write_shard()

    def _agree(self) -> None:
        if not (self.path / META_FILE).exists():
            write_json(self.path / META_FILE, {"schema": SCHEMA, **asdict(self.meta)})
            return
        found, wanted = asdict(read_meta(self.path)), asdict(self.meta)
        faults = [f"{name} is {_short(found[name])}, not {_short(wanted[name])}" for name in wanted
                  if found[name] != wanted[name]]  # fmt: skip
        if faults:
            raise UserError(
                f"{self.path} holds regions of another detector or choice: {'; '.join(faults)}; give the same, name "
                f"another folder or remove it"
            )

    def _stored(self) -> set[str]:
        """Return the ids of all shards; UserError when one is not whole."""
        files, ids = list[ShardFile](), set[str]()
        for shard in read_shards(self.path):
            files.append(shard.file)
            ids.update(shard.ids)
        require_fit(self.path, self.meta, files)
        if faults := [fault for file in files if (fault := file.size_fault(self.meta))]:
            raise UserError("\n  ".join(faults))
        return ids

    def _write_shard(self) -> None:
        if not self._waiting:
            return
        while shard_path(self.path, self._number).exists():
            self._number += 1
        enter(write_arrays(shard_path(self.path, self._number), self._waiting, self.meta))
        self.done.update(self._waiting)
        self._waiting = {}


def _short(value: object) -> str:
    text = str(value) or "not recorded"
    return text if len(text) <= 60 else f"{text[:57]}..."
