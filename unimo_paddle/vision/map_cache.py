"""Feature maps of a frozen backbone, computed once and kept on the disk in float16 for all epochs.

A folder with `maps.bin`, the levels of image after image, and `maps.json`, which says where each begins.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.console import progress, say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, read_json, write_json
from unimo_paddle.vision.frozen import FrozenBackbone
from unimo_paddle.vision.pictures import Unreadable, read_ahead, readable, same_shape_batches

INDEX, DATA = "maps.json", "maps.bin"
BATCH = 8


@dataclass(frozen=True)
class CachedImage:
    """start: first element in maps.bin.  shapes: [C, H, W] of each level.  scaled: height and width of the scaled
    image without padding.  width, height: of the original, pixels."""

    start: int
    shapes: list[list[int]]
    scaled: list[int]
    width: int
    height: int


class MapCache:
    """Reads cached maps; made by `cached_maps`."""

    def __init__(self, path: Path) -> None:
        rows = read_json(path / INDEX)["images"]
        self.images = {image_id: CachedImage(**row) for image_id, row in rows.items()}
        self._memory: Any = np.memmap(path / DATA, np.float16, "r")

    def read(self, image_id: str) -> list[NDArray[np.float16]]:
        """Return float16 [C, H, W] of each level."""
        image, levels = self.images[image_id], []
        start = image.start
        for shape in image.shapes:
            end = start + int(np.prod(shape))
            levels.append(self._memory[start:end].reshape(shape))
            start = end
        return levels


def cached_maps(
    path: Path, backbone: FrozenBackbone, images: Sequence[tuple[str, Path]], short_side: int, long_side: int, key: str
) -> MapCache:
    """Return the cache in `path`, computing it first unless it holds exactly these images' maps already.

    key: what else the maps depend on (the backbone's weights).  Raises UserError listing every unreadable image.
    """
    signature = _signature(images, short_side, long_side, key)
    if (path / INDEX).is_file() and read_json(path / INDEX).get("signature") == signature:
        return MapCache(path)
    if (path / INDEX).is_file():  # an old cache of ours; any other folder is the user's and stays
        shutil.rmtree(path)
    with atomic_directory(path) as folder:
        _compute(folder, backbone, images, (short_side, long_side), signature)
    return MapCache(path)


def _compute(
    folder: Path, backbone: FrozenBackbone, images: Sequence[tuple[str, Path]], sides: tuple[int, int], signature: str
) -> None:
    say(f"computing the feature maps of {len(images):,} pictures, once")
    rows: dict[str, dict[str, Any]] = {}
    unreadable: list[Unreadable] = []
    position = 0
    with (folder / DATA).open("wb") as file:
        decoded = progress(read_ahead(images, *sides), len(images), "feature maps", "picture")
        for batch in same_shape_batches(readable(decoded, unreadable), BATCH):
            levels = [level.astype(np.float16) for level in backbone(np.stack([p.pixels for p in batch]))]
            for row, picture in enumerate(batch):
                shapes = [list(level.shape[1:]) for level in levels]
                place = CachedImage(position, shapes, list(picture.scaled), picture.width, picture.height)
                rows[picture.id] = asdict(place)
                position += _write(file, [level[row] for level in levels])
    if unreadable:
        raise UserError("pictures to train on cannot be read: " + "; ".join(u.reason for u in unreadable[:20]))
    write_json(folder / INDEX, {"signature": signature, "images": rows})


def _write(file: IO[bytes], levels: Sequence[NDArray[np.float16]]) -> int:
    for level in levels:
        file.write(np.ascontiguousarray(level).tobytes())
    return sum(level.size for level in levels)


def _signature(images: Sequence[tuple[str, Path]], short_side: int, long_side: int, key: str) -> str:
    def size(path: Path) -> int:
        return path.stat().st_size if path.exists() else -1

    rows = [(image_id, path.name, size(path)) for image_id, path in images]
    return hashlib.sha256(json.dumps([short_side, long_side, key, rows]).encode()).hexdigest()
