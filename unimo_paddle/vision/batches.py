"""Batches of a detector's training: of cached maps where the backbone is frozen, of pictures where it learns.

batch(step) of both depends on the seed and the step only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError
from unimo_paddle.vision.annotations import Scene
from unimo_paddle.vision.attributes import label_rows
from unimo_paddle.vision.map_cache import MapCache
from unimo_paddle.vision.pictures import Picture, read_picture

Floats = NDArray[np.float32]
DECODERS = 4  # threads; Pillow lets go of Python's lock while it decodes and scales


@dataclass(frozen=True)
class DetectorBatch:
    """Pictures of one step.

    levels: float32 [B, C_l, H_l, W_l], the maps of each level; or, where the backbone learns, one level: the normalised
    pictures [B, 3, H, W].  sizes: float32 [B, 2], height and width of the scaled picture.
    boxes: float32 [n_b, 4] of each picture, in pixels of the scaled picture.  labels: int32 [n_b, 1].
    attributes: float32 [n_b, A + 1], see attributes.label_rows; empty where they are not annotated.
    """

    ids: list[str]
    levels: list[Floats]
    sizes: Floats
    boxes: list[Floats]
    labels: list[NDArray[np.int32]]
    attributes: list[Floats] = field(default_factory=list)
    kind = "picture"

    @property
    def parts(self) -> tuple[DetectorBatch]:
        """Return the batch itself: one forward pass."""
        return (self,)


class SceneOrder:
    """Which scenes are a step's: each epoch visits every scene with a box once, in an order of its own."""

    def __init__(self, scenes: Sequence[Scene], batch_pictures: int, seed: int) -> None:
        self.scenes = [scene for scene in scenes if len(scene.boxes)]
        self.batch_pictures, self.seed = batch_pictures, seed
        self._order: tuple[int, NDArray[np.int64]] | None = None  # of the epoch asked for last
        if not self.scenes:
            raise UserError(f"none of the {len(scenes)} pictures to train on has a box; check the annotations")

    def places(self, step: int) -> range:
        """Return the numbers, from 0 over all epochs, of the pictures of a step, counted from 0."""
        return range(step * self.batch_pictures, (step + 1) * self.batch_pictures)

    def scene(self, place: int) -> Scene:
        """Return the scene at a place."""
        epoch, index = divmod(place, len(self.scenes))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self.scenes))
        return self.scenes[self._order[1][index]]


class MapBatches:
    """Batches of cached maps. attributes: how many there are, without none."""

    def __init__(self, order: SceneOrder, cache: MapCache, attributes: int) -> None:
        self.order, self.cache, self.attributes = order, cache, attributes

    def batch(self, step: int) -> DetectorBatch:
        """Return the pictures of a step, counted from 0."""
        return self.assemble([self.order.scene(place) for place in self.order.places(step)])

    def assemble(self, scenes: Sequence[Scene]) -> DetectorBatch:
        """Return a batch of exactly these scenes."""
        places = [self.cache.images[scene.id] for scene in scenes]
        levels = zip(*(self.cache.read(scene.id) for scene in scenes), strict=True)
        boxes = [scaled_boxes(s, p.scaled[0], p.scaled[1], False) for s, p in zip(scenes, places, strict=True)]
        sizes = [(p.scaled[0], p.scaled[1]) for p in places]
        return _batch(scenes, [stack(level) for level in levels], sizes, boxes, self.attributes)


class PictureBatches:
    """Batches of decoded pictures, half of them mirrored; nothing that the attributes say has a side.

    sides: short and long side.  normalise: uint8 RGB [B, H, W, 3] -> float32 [B, 3, H, W], of the backbone.
    """

    def __init__(
        self, order: SceneOrder, sides: tuple[int, int], normalise: Callable[[NDArray[np.uint8]], Floats],
        attributes: int,
    ) -> None:  # fmt: skip
        self.order, self.sides, self.normalise, self.attributes = order, sides, normalise, attributes

    def batch(self, step: int) -> DetectorBatch:
        """Return the pictures of a step, counted from 0; UserError naming a picture that cannot be read."""
        places = self.order.places(step)
        flips = [bool(np.random.default_rng((self.order.seed, 1, place)).integers(2)) for place in places]
        return self.assemble([self.order.scene(place) for place in places], flips)

    def assemble(self, scenes: Sequence[Scene], flips: Sequence[bool]) -> DetectorBatch:
        """Return a batch of exactly these scenes; flips: which of them are mirrored."""
        with ThreadPoolExecutor(min(DECODERS, len(scenes))) as pool:
            pictures = list(pool.map(lambda scene: read_picture(scene.id, scene.path, *self.sides), scenes))
        images = [self._image(picture, flip) for picture, flip in zip(pictures, flips, strict=True)]
        sizes = [picture.scaled for picture in pictures]
        boxes = [scaled_boxes(s, *size, flip) for s, size, flip in zip(scenes, sizes, flips, strict=True)]
        return _batch(scenes, [stack(images)], sizes, boxes, self.attributes)

    def _image(self, picture: Picture, flip: bool) -> Floats:
        height, width = picture.scaled
        pixels = picture.pixels[:height, :width]  # without its own padding: the batch's is 0 after normalisation
        return self.normalise((pixels[:, ::-1] if flip else pixels)[None])[0]


def scaled_boxes(scene: Scene, height: int, width: int, flip: bool) -> Floats:
    """Return the scene's boxes in a picture of this size, mirrored left to right if asked for."""
    boxes = scene.boxes * np.array([width / scene.width, height / scene.height] * 2, np.float32)
    if flip:
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return boxes


def stack(maps: Sequence[NDArray[Any]]) -> Floats:
    """Stack [C, H, W] of several pictures to float32 [B, C, H, W]; smaller ones get zeros below and to the right."""
    height, width = (max(one.shape[axis] for one in maps) for axis in (1, 2))
    full = np.zeros((len(maps), maps[0].shape[0], height, width), np.float32)
    for row, one in zip(full, maps, strict=True):
        row[:, : one.shape[1], : one.shape[2]] = one
    return full


def _batch(
    scenes: Sequence[Scene], levels: list[Floats], sizes: Sequence[tuple[int, int]], boxes: list[Floats],
    attributes: int,
) -> DetectorBatch:  # fmt: skip
    rows = [label_rows(scene.attributes, attributes) for scene in scenes] if attributes else []
    ids, labels = [scene.id for scene in scenes], [scene.labels[:, None] for scene in scenes]
    return DetectorBatch(ids, levels, np.array(sizes, np.float32), boxes, labels, rows)
