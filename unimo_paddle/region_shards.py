"""Shards of a region store: their layout on the disk, what may be written to them, and what comes back.

A shard is two files: `shard-00000.bin`, the arrays of StoreMeta.layout one after the other, and `shard-00000.json`:
ids, counts, sizes and checksum. The JSON is written last: a shard counts only when it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json

SCHEMA = 1
META_FILE = "regions.json"
BOX_TOLERANCE = 1e-2  # pixels; rounding of a clipped box


@dataclass(frozen=True)
class Regions:
    """What was found in one image.

    features: float32 [N, D].  boxes: float32 [N, 4], x1 y1 x2 y2 in pixels of the image.
    class_probs: float32 [N, C], column 0 the background, rows sum to 1.  width, height: pixels.
    """

    features: NDArray[np.float32]
    boxes: NDArray[np.float32]
    class_probs: NDArray[np.float32]
    width: int
    height: int


@dataclass(frozen=True)
class StoreMeta:
    """What all shards of a store share.

    family: stores of two families must not be mixed.  classes: names, classes[0] the background.
    class_top_k: how many class probabilities are kept a region.  detector: SHA-256 of the detector's weights.
    choice: which of the found regions were kept, in words.
    """

    family: str
    feature_width: int
    classes: tuple[str, ...]
    class_top_k: int
    detector: str
    choice: str = ""

    @property
    def kept(self) -> int:
        """How many class probabilities a region really has on the disk."""
        return min(self.class_top_k, len(self.classes))

    @property
    def layout(self) -> tuple[tuple[str, int, str], ...]:
        """Name, width and type of the arrays of a shard, in order; the widest type first, so that all are aligned."""
        return (
            ("boxes", 4, "<f4"),
            ("features", self.feature_width, "<f2"),
            ("class_ids", self.kept, "<u2"),
            ("class_probs", self.kept, "<f2"),
        )

    @property
    def region_bytes(self) -> int:
        """Bytes of one region on the disk."""
        return sum(width * np.dtype(kind).itemsize for _, width, kind in self.layout)


@dataclass(frozen=True)
class Shard:
    """The JSON of a shard: the k-th image has counts[k] regions and the size widths[k] x heights[k]."""

    path: Path
    ids: list[str]
    counts: list[int]
    widths: list[int]
    heights: list[int]
    bytes: int
    sha256: str

    @property
    def data(self) -> Path:
        """The file with the arrays."""
        return self.path.with_suffix(".bin")

    def arrays(self, meta: StoreMeta) -> dict[str, NDArray[Any]]:
        """Map the arrays, [regions, width] each; UserError when the file is missing or was cut short."""
        fault = self.size_fault(meta)
        if fault:
            raise UserError(fault)
        rows, offset, found = sum(self.counts), 0, {}
        memory: Any = np.memmap(self.data, np.uint8, "r")
        for name, width, kind in meta.layout:
            end = offset + rows * width * np.dtype(kind).itemsize
            found[name] = memory[offset:end].view(kind).reshape(rows, width)
            offset = end
        return found

    def size_fault(self, meta: StoreMeta) -> str:
        """Tell what is wrong with the size of the file, or the empty string."""
        size = self.data.stat().st_size if self.data.exists() else -1
        if size == self.bytes == sum(self.counts) * meta.region_bytes:
            return ""
        state = "is missing" if size < 0 else f"has {size} bytes, not {self.bytes}: it was cut short"
        return f"{self.data} {state}; {self.remedy}"

    @property
    def remedy(self) -> str:
        """What a user does about a damaged shard."""
        return f"delete {self.path.with_suffix('')}.* and run the same extraction command again"


def region_faults(regions: Regions, meta: StoreMeta) -> Iterator[str]:
    """Yield what makes regions unfit for a store: their shapes, values that are not finite, boxes outside the image."""
    count = len(regions.boxes)
    wanted = {"features": (count, meta.feature_width), "boxes": (count, 4), "class_probs": (count, len(meta.classes))}
    shapes = {name: getattr(regions, name).shape for name in wanted}
    if count == 0:
        yield "it has no regions"
    elif shapes != wanted:
        yield f"its arrays have the shapes {shapes}, not {wanted}"
    else:
        yield from _array_faults(regions)


def spread(ids: NDArray[np.uint16], probs: NDArray[np.float16], classes: int) -> NDArray[np.float32]:
    """Rebuild class distributions float32 [N, classes] from the kept ids and probabilities [N, K].

    What is left of 1 goes evenly to the classes that were not kept; with none left out, rows are scaled to sum to 1.
    """
    kept = probs.astype(np.float32)
    total = kept.sum(1, keepdims=True)
    others = classes - kept.shape[1]
    if others == 0:
        full = np.zeros((len(kept), classes), np.float32)
        kept = kept / total
    else:
        kept = kept / np.maximum(total, 1.0)  # float16 may have rounded the sum above 1
        rest = (1 - kept.sum(1, keepdims=True)).clip(0) / others
        full = np.repeat(rest, classes, axis=1)
    np.put_along_axis(full, ids.astype(np.int64), kept, axis=1)
    return full


def read_meta(path: Path) -> StoreMeta:
    """Read regions.json; UserError when it is of another schema or does not describe a store."""
    file = path / META_FILE
    value = read_json(file)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{file}: schema is {schema!r}, this version reads {SCHEMA}; extract the regions anew")
    try:
        names = tuple(value["classes"])
        return StoreMeta(
            value["family"], value["feature_width"], names, value["class_top_k"], value["detector"],
            value.get("choice", ""),
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise UserError(f"{file} does not describe a region store: {error}; extract the regions anew") from None


def read_shards(path: Path) -> Iterator[Shard]:
    """Yield the complete shards of a store in order; UserError naming the one whose JSON is broken."""
    for file in sorted(path.glob("shard-*.json")):
        value = read_json(file)
        try:
            shard = Shard(file, **value)
            is_even = len(shard.ids) == len(shard.counts) == len(shard.widths) == len(shard.heights)
        except TypeError as error:
            raise UserError(f"{file} is not the index of a shard: {error}; delete {file.with_suffix('')}.*") from None
        if not is_even:
            raise UserError(f"{file}: its lists differ in length; {shard.remedy}")
        yield shard


def encode(items: Sequence[Regions], meta: StoreMeta) -> dict[str, NDArray[Any]]:
    probs = np.concatenate([r.class_probs for r in items])
    order = np.argsort(-probs, axis=1, kind="stable")[:, : meta.kept]
    arrays = {
        "boxes": np.concatenate([clip_boxes(r.boxes, r.width, r.height) for r in items]),
        "features": np.concatenate([r.features for r in items]),
        "class_ids": order,
        "class_probs": np.take_along_axis(probs, order, axis=1),
    }
    return {name: np.ascontiguousarray(arrays[name], dtype=kind) for name, _, kind in meta.layout}


def clip_boxes(boxes: NDArray[np.float32], width: float, height: float) -> NDArray[np.float32]:
    """Return the boxes [N, 4] cut at the image's borders."""
    return np.clip(boxes, 0, np.array([width, height, width, height])).astype(np.float32)


def _array_faults(regions: Regions) -> Iterator[str]:
    for name in ("features", "boxes", "class_probs"):
        bad = ~np.isfinite(getattr(regions, name))
        if bad.any():
            row = int(np.argwhere(bad)[0, 0])
            yield f"{name} of region {row} hold {getattr(regions, name)[bad][0]}, which is no number"
    limit = np.finfo(np.float16).max
    largest = float(np.abs(regions.features).max())
    if limit < largest < np.inf:
        yield f"a feature of {largest:.6g} is beyond float16 ({limit:.0f})"
    (x1, y1, x2, y2), eps = regions.boxes.T, BOX_TOLERANCE
    outside = (x1 < -eps) | (y1 < -eps) | (x2 > regions.width + eps) | (y2 > regions.height + eps)
    wrong = np.flatnonzero(outside | (x2 < x1) | (y2 < y1))
    if len(wrong):
        box = regions.boxes[wrong[0]].tolist()
        yield f"box {box} of region {wrong[0]} is not inside {regions.width} x {regions.height} pixels"
