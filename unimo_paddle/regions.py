"""The region store: what a detector saw in each image, on the disk in float16, read through memory maps.

A store is a folder: `regions.json` (StoreMeta) and shards (see region_shards.py).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, leftovers, lock_directory, sha256_of, write_json
from unimo_paddle.region_shards import (
    META_FILE,
    SCHEMA,
    Regions,
    Shard,
    StoreMeta,
    encode,
    read_meta,
    read_shards,
    region_faults,
    spread,
)

__all__ = ["RegionStore", "RegionStoreWriter", "Regions", "StoreMeta", "verify"]


class RegionStore:
    """A store to read from: random access by image id, files mapped when first needed, fit for several processes."""

    def __init__(self, path: Path | str) -> None:
        """Read the index; UserError when there is no store, or it is of another schema or broken."""
        self.path = Path(path)
        if not (self.path / META_FILE).is_file():
            raise UserError(f"{self.path} is no region store ({META_FILE} is missing); make one with tools/extract.py")
        self.meta = read_meta(self.path)
        self._shards = list(read_shards(self.path))
        self._places = {
            image_id: (s, k) for s, shard in enumerate(self._shards) for k, image_id in enumerate(shard.ids)
        }
        self._starts = [np.concatenate([[0], np.cumsum(shard.counts)]) for shard in self._shards]
        self._arrays: dict[int, dict[str, NDArray[Any]]] = {}

    def __reduce__(self) -> tuple[type[RegionStore], tuple[Path]]:
        return RegionStore, (self.path,)

    @property
    def ids(self) -> list[str]:
        """Image ids in the order in which they were stored."""
        return list(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, image_id: object) -> bool:
        return image_id in self._places

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
        faults = [fault for shard in self._shards if (fault := shard.size_fault(self.meta))]
        if faults:
            raise UserError("\n  ".join(faults))

    def read(self, image_id: str) -> Regions:
        """Return an image's regions; UserError when the id is not stored or its shard is damaged.

        Probabilities beyond the kept ones are lost: what remains of 1 is spread evenly over the other classes.
        """
        if image_id not in self._places:
            raise UserError(f"image {image_id!r} is not in the region store {self.path}; extract it first")
        s, k = self._places[image_id]
        if s not in self._arrays:
            self._arrays[s] = self._shards[s].arrays(self.meta)
        shard, rows = self._shards[s], slice(self._starts[s][k], self._starts[s][k + 1])
        part = {name: array[rows] for name, array in self._arrays[s].items()}
        return Regions(
            part["features"].astype(np.float32),
            np.array(part["boxes"]),
            spread(part["class_ids"], part["class_probs"], len(self.meta.classes)),
            shard.widths[k],
            shard.heights[k],
        )


class RegionStoreWriter:
    """Appends images to a store; used as a context manager, which holds the store's lock.

    `done` holds the ids that are in complete shards: a killed run goes on from there. Leaving the block without an
    error writes the last, smaller shard.
    """

    def __init__(self, path: Path | str, meta: StoreMeta, images_per_shard: int) -> None:
        """Open or create; UserError when another process writes to it or another detector or choice made it."""
        assert images_per_shard > 0
        if len(meta.classes) > np.iinfo(np.uint16).max:
            raise UserError(f"a region store holds at most 65535 classes, not {len(meta.classes)}")
        self.path, self.meta, self.images_per_shard = Path(path), meta, images_per_shard
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = lock_directory(self.path)
        try:
            leftovers(self.path)
            self._agree()
            self.done = {image_id for shard in read_shards(self.path) for image_id in _sound(shard, meta).ids}
        except BaseException:
            os.close(self._lock)
            raise
        self._waiting: dict[str, Regions] = {}

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
        faults = [*region_faults(regions, self.meta)]
        if image_id in self.done or image_id in self._waiting:
            faults.append("it is stored already")
        if faults:
            raise UserError(f"image {image_id!r}: {'; '.join(faults)}")
        self._waiting[image_id] = regions
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

    def _write_shard(self) -> None:
        if not self._waiting:
            return
        arrays = encode(list(self._waiting.values()), self.meta)
        data = b"".join(arrays[name].tobytes() for name, _, _ in self.meta.layout)
        path = next(p for i in range(10**9) if not (p := self.path / f"shard-{i:05d}.json").exists())
        with atomic_write(path.with_suffix(".bin")) as file:
            file.write(data)
        items = self._waiting.values()
        write_json(path, {
            "ids": list(self._waiting), "counts": [len(r.boxes) for r in items],
            "widths": [r.width for r in items], "heights": [r.height for r in items],
            "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
        })  # fmt: skip
        self.done.update(self._waiting)
        self._waiting = {}


def verify(path: Path | str) -> list[str]:
    """Read a whole store and return its faults: missing or short files, checksums, values, boxes, doubled ids."""
    store_path = Path(path)
    meta, faults, seen = read_meta(store_path), [], set[str]()
    for shard in read_shards(store_path):
        faults += [f"{shard.path}: image {i!r} is stored twice" for i in shard.ids if i in seen]
        seen.update(shard.ids)
        fault = shard.size_fault(meta)
        if not fault and sha256_of(shard.data) != shard.sha256:
            fault = f"{shard.data} is not what was written (checksum); {shard.remedy}"
        faults += [fault] if fault else _value_faults(shard, meta)
    return faults


def _sound(shard: Shard, meta: StoreMeta) -> Shard:
    fault = shard.size_fault(meta)
    if fault:
        raise UserError(fault)
    return shard


def _value_faults(shard: Shard, meta: StoreMeta) -> list[str]:
    arrays = shard.arrays(meta)
    faults = []
    ends = np.cumsum(shard.counts).tolist()
    for image_id, end, count, width, height in zip(
        shard.ids, ends, shard.counts, shard.widths, shard.heights, strict=True
    ):
        part = {name: array[end - count : end] for name, array in arrays.items()}
        probs = spread(part["class_ids"], part["class_probs"], len(meta.classes))
        regions = Regions(part["features"].astype(np.float32), part["boxes"], probs, width, height)
        faults += [f"{shard.path}: image {image_id!r}: {fault}" for fault in region_faults(regions, meta)]
    return faults


def _short(value: object) -> str:
    text = str(value) or "not recorded"
    return text if len(text) <= 60 else f"{text[:57]}..."
