"""What the detector learns from: batches of cached feature maps with their boxes, and the four losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor

from unimo_paddle.errors import UserError
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.vision.annotations import Scene
from unimo_paddle.vision.compat import RegionDetector
from unimo_paddle.vision.map_cache import MapCache

LOSS_NAMES = {  # PaddleDetection's names and ours
    "loss_rpn_cls": "proposal_class",
    "loss_rpn_reg": "proposal_box",
    "loss_bbox_cls": "region_class",
    "loss_bbox_reg": "region_box",
}


@dataclass(frozen=True)
class DetectorBatch:
    """Pictures of one step.

    maps: float32 [B, C_l, H_l, W_l] of each level.  sizes: float32 [B, 2], height and width of the scaled picture.
    boxes: float32 [n_b, 4] of each picture, in pixels of the scaled picture.  labels: int32 [n_b, 1].
    """

    ids: list[str]
    maps: list[NDArray[np.float32]]
    sizes: NDArray[np.float32]
    boxes: list[NDArray[np.float32]]
    labels: list[NDArray[np.int32]]


class DetectorWork:
    """The detector's training as the common trainer wants it: model, batch(step), losses(batch).

    Each epoch visits every scene once in an order of its own; batch(step) depends on the seed and the step only.
    Which anchors and proposals are learned from is drawn by Paddle's generator, which the trainer seeds every step.
    """

    def __init__(
        self, model: RegionDetector, scenes: Sequence[Scene], cache: MapCache, batch_pictures: int, seed: int
    ) -> None:
        self.model, self.cache, self.seed = model, cache, seed
        self.scenes = [scene for scene in scenes if len(scene.boxes)]
        self.batch_pictures = batch_pictures
        self._order: tuple[int, NDArray[np.int64]] | None = None  # of the epoch asked for last
        if not self.scenes:
            raise UserError(f"none of the {len(scenes)} pictures to train on has a box; check the annotations")

    def batch(self, step: int) -> DetectorBatch:
        """Return the pictures of a step, counted from 0."""
        first = step * self.batch_pictures
        return self.assemble([self._scene(place) for place in range(first, first + self.batch_pictures)])

    def assemble(self, scenes: Sequence[Scene]) -> DetectorBatch:
        """Return a batch of exactly these scenes."""
        places = [self.cache.images[scene.id] for scene in scenes]
        scales = [(p.scaled[1] / p.width, p.scaled[0] / p.height) for p in places]
        return DetectorBatch(
            [scene.id for scene in scenes],
            stack_maps([self.cache.read(scene.id) for scene in scenes]),
            np.array([p.scaled for p in places], np.float32),
            [(s.boxes * np.array(scale * 2, np.float32)) for s, scale in zip(scenes, scales, strict=True)],
            [scene.labels[:, None] for scene in scenes],
        )

    def losses(self, batch: DetectorBatch) -> dict[str, LossTerm]:
        """Run the detector; each term's sum / count is PaddleDetection's own mean."""
        found = self.model.training_losses(to_inputs(batch))
        anchors = self.model.rpn_head.rpn_target_assign.batch_size_per_im * len(batch.ids)
        regions = sum(len(labels) for labels in self.model.bbox_head.get_assigned_targets()[0])
        return {name: _term(found[theirs], regions if "bbox" in theirs else anchors)
                for theirs, name in LOSS_NAMES.items()}  # fmt: skip

    def _scene(self, place: int) -> Scene:
        epoch, index = divmod(place, len(self.scenes))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self.scenes))
        return self.scenes[self._order[1][index]]


def to_inputs(batch: DetectorBatch) -> dict[str, object]:
    """Return the batch under PaddleDetection's names, as tensors."""
    return {
        "maps": [paddle.to_tensor(level) for level in batch.maps],
        "im_shape": paddle.to_tensor(batch.sizes),
        "gt_bbox": [paddle.to_tensor(boxes) for boxes in batch.boxes],
        "gt_class": [paddle.to_tensor(labels) for labels in batch.labels],
    }


def stack_maps(pictures: Sequence[Sequence[NDArray[np.float16]]]) -> list[NDArray[np.float32]]:
    """Stack each level of several pictures, float32 [B, C, H, W]; smaller maps get zeros below and to the right."""
    stacked = []
    for levels in zip(*pictures, strict=True):
        height, width = (max(level.shape[axis] for level in levels) for axis in (1, 2))
        full = np.zeros((len(levels), levels[0].shape[0], height, width), np.float32)
        for row, level in zip(full, levels, strict=True):
            row[:, : level.shape[1], : level.shape[2]] = level
        stacked.append(full)
    return stacked


def _term(mean: Tensor, count: int) -> LossTerm:
    number = paddle.to_tensor(float(count))
    return LossTerm(mean.sum() * number, number)  # .sum(): some of their losses are [1], not []
