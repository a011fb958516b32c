"""Shards of a region store: their layout on the disk, what may be written to them, and what comes back.

A shard is two files: `shard-00000.bin`, the arrays of StoreMeta.layout one after the other, and `shard-00000.json`:
ids, counts, sizes and checksum. The JSON is written last: a shard counts only when it is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, sha256_of
from unimo_paddle.region_distributions import keep, spread

SCHEMA = 2
READABLE = (1, 2)  # 1 had no attributes, and is else the same
META_FILE = "regions.json"
BOX_TOLERANCE = 1e-2  # pixels; rounding of a clipped box
LISTS = ("classes", "attributes")  # the keys of regions.json that hold names
MOST = int(np.iinfo(np.uint16).max)  # numbers of a feature, classes, attributes; the ids are uint16


@dataclass(frozen=True)
class Regions:
    """What was found in one image.

    features: float32 [N, D].  boxes: float32 [N, 4], x1 y1 x2 y2 in pixels of the image.
    class_probs: float32 [N, C], column 0 the background, rows sum to 1.  width, height: pixels.
    attr_probs: float32 [N, A + 1], column 0 no attribute at all, rows sum to 1; None where none were looked for.
    """

    features: NDArray[np.float32]
    boxes: NDArray[np.float32]
    class_probs: NDArray[np.float32]
    width: int
    height: int
    attr_probs: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class StoreMeta:
    """What all shards of a store share.

    family: stores of two families must not be mixed.  classes: names, classes[0] the background.
    class_top_k: how many class probabilities are kept a region.
    detector: SHA-256 of the detector's weights, or `imported:FAMILY`.  choice: which regions were kept, in words.
    attributes: names, attributes[0] "__none__"; empty when the store has none.  attr_top_k: like class_top_k.
    """

    family: str
    feature_width: int
    classes: tuple[str, ...]
    class_top_k: int
    detector: str
    choice: str = ""
    attributes: tuple[str, ...] = ()
    attr_top_k: int = 8

    @property
    def kept(self) -> int:
        """How many class probabilities a region really has on the disk."""
        return min(self.class_top_k, len(self.classes))

    @property
    def attr_kept(self) -> int:
        """How many attribute probabilities a region really has on the disk."""
        return min(self.attr_top_k, len(self.attributes))

    @property
    def layout(self) -> tuple[tuple[str, int, str], ...]:
        """Name, width and type of the arrays of a shard, in order; the widest type first, so that all are aligned."""
        always = (
            ("boxes", 4, "<f4"),
            ("features", self.feature_width, "<f2"),
            ("class_ids", self.kept, "<u2"),
            ("class_probs", self.kept, "<f2"),
        )
        return always + (("attr_ids", self.attr_kept, "<u2"), ("attr_probs", self.attr_kept, "<f2")) * self.describes

    @property
    def describes(self) -> bool:
        """Whether the store has attributes."""
        return bool(self.attributes)

    @property
    def region_bytes(self) -> int:
        """Bytes of one region on the disk."""
        return sum(width * np.dtype(kind).itemsize for _, width, kind in self.layout)


@dataclass(frozen=True)
class ShardFile:
    """The arrays of a shard on the disk. path: its JSON; rows: regions; bytes, sha256: as they were written."""

    path: Path
    rows: int
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
        offset, found = 0, {}
        memory: Any = np.memmap(self.data, np.uint8, "r")
        for name, width, kind in meta.layout:
            end = offset + self.rows * width * np.dtype(kind).itemsize
            found[name] = memory[offset:end].view(kind).reshape(self.rows, width)
            offset = end
        return found

    def size_fault(self, meta: StoreMeta) -> str:
        """Tell what is wrong with the size of the file, or the empty string."""
        size = self.data.stat().st_size if self.data.exists() else -1
        if size == self.bytes == self.rows * meta.region_bytes:
            return ""
        if size == self.bytes:
            state = f"has {size} bytes, but {self.rows} regions make {self.rows * meta.region_bytes}"
        else:
            state = "is missing" if size < 0 else f"has {size} bytes, not {self.bytes}: it was cut short"
        return f"{self.data} {state}; {self.remedy}"

    def content_fault(self, meta: StoreMeta) -> str:
        """Read the whole file and tell what is wrong with its size or checksum, or the empty string."""
        fault = self.size_fault(meta)
        if fault or sha256_of(self.data) == self.sha256:
            return fault
        return f"{self.data} is not what was written (checksum); {self.remedy}"

    def fits(self, meta: StoreMeta) -> bool:
        """Tell whether the arrays, as they were written, have the layout that regions.json describes."""
        return self.bytes == self.rows * meta.region_bytes

    @property
    def remedy(self) -> str:
        """What a user does about a damaged shard."""
        return f"delete {self.path.with_suffix('')}.* and run the same command that made it again"


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
    def file(self) -> ShardFile:
        """Where its arrays are."""
        return ShardFile(self.path, sum(self.counts), self.bytes, self.sha256)


def region_faults(regions: Regions, meta: StoreMeta) -> Iterator[str]:
    """Yield what makes regions unfit for a store: their shapes, values that are not finite, boxes outside the image."""
    count = len(regions.boxes)
    wanted: dict[str, tuple[int, ...]] = {
        "features": (count, meta.feature_width), "boxes": (count, 4), "class_probs": (count, len(meta.classes)),
    }  # fmt: skip
    if meta.describes or regions.attr_probs is not None:
        wanted["attr_probs"] = (count, len(meta.attributes)) if meta.describes else ()
    shapes = {name: np.shape(getattr(regions, name)) for name in wanted}
    if count == 0:
        yield "it has no regions"
    elif shapes != wanted:
        yield f"its arrays have the shapes {shapes}, not {wanted}"
    else:
        yield from _array_faults(regions)


def read_meta(path: Path) -> StoreMeta:
    """Read regions.json; UserError when it is of another schema or does not describe a store."""
    file = path / META_FILE
    value = read_json(file)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema not in READABLE:
        raise UserError(f"{file}: schema is {schema!r}, this version reads {SCHEMA}; extract the regions anew")
    faults = [*meta_faults(value)]
    if faults:
        raise UserError(
            f"{file} does not describe a region store: {'; '.join(faults)}; put back what was there, or extract the "
            f"regions anew"
        )
    names = [field.name for field in fields(StoreMeta) if field.name in value]
    given: dict[str, Any] = {name: tuple(value[name]) if name in LISTS else value[name] for name in names}
    return StoreMeta(**given)


def meta_faults(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the keys of StoreMeta: those that are missing, of another type or out of range."""
    for field in fields(StoreMeta):
        if field.name not in value and field.default is MISSING:
            yield f"{field.name} is missing"
        elif field.name in value and (fault := _key_fault(field.name, value[field.name])):
            yield f"{field.name} {fault}"


def require_fit(path: Path, meta: StoreMeta, files: Sequence[ShardFile]) -> None:
    """Raise UserError when no shard of a store has the layout of its regions.json: then it is that which is wrong."""
    if files and not any(file.fits(meta) for file in files):
        one = files[0]
        raise UserError(
            f"{path / META_FILE} does not fit its {len(files)} shards: {one.rows} regions of {meta.region_bytes} bytes "
            f"would be {one.rows * meta.region_bytes}, but {one.data.name} was written with {one.bytes}; put back its "
            f"feature_width, class_top_k, classes, attr_top_k and attributes as they were (the shards may be whole)"
        )


def read_shards(path: Path) -> Iterator[Shard]:
    """Yield the complete shards of a store in order; UserError naming the one whose JSON is broken."""
    return map(read_shard, sorted(path.glob("shard-*.json")))


def read_shard(file: Path) -> Shard:
    """Read a shard's JSON; UserError when it is broken."""
    value = read_json(file)
    try:
        shard = Shard(file, **value)
        is_even = len(shard.ids) == len(shard.counts) == len(shard.widths) == len(shard.heights)
    except TypeError as error:
        raise UserError(f"{file} is not the index of a shard: {error}; delete {file.with_suffix('')}.*") from None
    if not is_even:
        raise UserError(f"{file}: its lists differ in length; {shard.file.remedy}")
    return shard


@dataclass(frozen=True)
class Encoded:
    """One image as a shard holds it: the arrays of StoreMeta.layout, [regions, width] each; its size in pixels."""

    arrays: dict[str, NDArray[Any]]
    width: int
    height: int

    def equals(self, other: Encoded) -> bool:
        """Tell whether two are the same, bit for bit."""
        alike = (self.width, self.height, self.arrays.keys()) == (other.width, other.height, other.arrays.keys())
        return alike and all(np.array_equal(array, other.arrays[name]) for name, array in self.arrays.items())


def encode(regions: Regions, meta: StoreMeta) -> Encoded:
    """Turn an image's regions into what a shard holds of them."""
    arrays: dict[str, NDArray[Any]] = {
        "boxes": clip_boxes(regions.boxes, regions.width, regions.height), "features": regions.features,
    }  # fmt: skip
    arrays["class_ids"], arrays["class_probs"] = keep(regions.class_probs, meta.kept)
    if regions.attr_probs is not None:
        arrays["attr_ids"], arrays["attr_probs"] = keep(regions.attr_probs, meta.attr_kept)
    kinds = {name: kind for name, _, kind in meta.layout}
    return Encoded({name: arrays[name].astype(kind) for name, kind in kinds.items()}, regions.width, regions.height)


def decode(stored: Encoded, meta: StoreMeta, probabilities: bool = True) -> Regions:
    """Return an image's regions; without probabilities, class_probs is [N, 0]."""
    part = stored.arrays
    features, boxes = part["features"].astype(np.float32), np.array(part["boxes"])
    if not probabilities:
        return Regions(features, boxes, np.zeros((len(boxes), 0), np.float32), stored.width, stored.height)
    classes = spread(part["class_ids"], part["class_probs"], len(meta.classes))
    attributes = spread(part["attr_ids"], part["attr_probs"], len(meta.attributes)) if meta.describes else None
    return Regions(features, boxes, classes, stored.width, stored.height, attributes)


def clip_boxes(boxes: NDArray[np.float32], width: float, height: float) -> NDArray[np.float32]:
    """Return the boxes [N, 4] cut at the image's borders."""
    return np.clip(boxes, 0, np.array([width, height, width, height])).astype(np.float32)


def unknown_ids(part: Mapping[str, NDArray[Any]], meta: StoreMeta) -> str:
    """Tell which class or attribute of an image's or a shard's arrays has no name in StoreMeta, or the empty string."""
    for array, key, names in (("class_ids", "classes", meta.classes), ("attr_ids", "attributes", meta.attributes)):
        if array in part and part[array].max(initial=0) >= len(names):
            return f"{array} hold {part[array].max()}, but {key} in {META_FILE} has {len(names)} names: put them back"
    return ""


def _key_fault(name: str, found: Any) -> str:
    if name in LISTS:
        return _names_fault(found, may_lack=name == "attributes")
    if name in ("feature_width", "class_top_k", "attr_top_k"):
        is_right = type(found) is int and 1 <= found <= MOST
        return "" if is_right else f"is {str(found)[:40]!r}, a whole number of 1 to {MOST} is wanted"
    is_right = isinstance(found, str) and (found != "" or name != "family")
    return "" if is_right else f"is {str(found)[:40]!r}, a text is wanted"


def _names_fault(found: Any, may_lack: bool) -> str:
    if not isinstance(found, (list, tuple)) or not all(isinstance(name, str) for name in found):
        return f"is {str(found)[:40]!r}, a list of names is wanted"
    if not 2 <= len(found) <= MOST and not (may_lack and not found):
        return f"has {len(found)} names; at least 2 and at most {MOST} are wanted"
    doubled = sorted({name for name in found if found.count(name) > 1}) if len(set(found)) < len(found) else []
    return f"has {doubled[0]!r} more than once" if doubled else ""


def _array_faults(regions: Regions) -> Iterator[str]:
    for name in ("features", "boxes", "class_probs", "attr_probs"):
        if getattr(regions, name) is None:
            continue
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
