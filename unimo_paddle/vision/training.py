"""What the common trainer needs to train a detector: its batches and its four losses, five with attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import paddle
from numpy.typing import NDArray

from unimo_paddle.model.flops import Cost
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.vision.attributes import LOSS_WEIGHT
from unimo_paddle.vision.batches import DetectorBatch
from unimo_paddle.vision.compat import RegionDetector

LOSS_NAMES = {  # PaddleDetection's names and ours
    "loss_rpn_cls": "proposal_class",
    "loss_rpn_reg": "proposal_box",
    "loss_bbox_cls": "region_class",
    "loss_bbox_reg": "region_box",
    "loss_attributes": "region_attributes",
}
WEIGHTS = {**dict.fromkeys(LOSS_NAMES.values(), 1.0), "region_attributes": LOSS_WEIGHT}


class DetectorWork:
    """The detector's training as the common trainer wants it: model, batch(step), losses(batch).

    batch: a pure function of the step. Which anchors and proposals are learned from is drawn by Paddle's generator,
    which the trainer seeds every step.
    """

    def __init__(self, model: RegionDetector, batch: Callable[[int], DetectorBatch], is_frozen: bool) -> None:
        self.model, self.batch = model, batch
        self._levels = "maps" if is_frozen else "image"

    def counts(self, batch: DetectorBatch) -> dict[str, float]:
        """Return 1 for each loss: how many anchors and proposals are judged is only known once they were drawn."""
        names = [name for name in LOSS_NAMES.values() if name != "region_attributes" or batch.attributes]
        return dict.fromkeys(names, 1.0)

    def cost(self, batch: DetectorBatch) -> Cost:
        """Return nothing: rows and FLOPs are counted of the Transformer alone."""
        return Cost(0, 0, 0.0)

    def passes(self, batch: DetectorBatch) -> int:
        """Return 0: there is no encoder."""
        return 0

    def losses(self, batch: DetectorBatch) -> dict[str, LossTerm]:
        """Run the detector; each term is PaddleDetection's own mean."""
        found = self.model.training_losses(self._inputs(batch))
        # .sum(): some of their losses are [1], not []
        return {LOSS_NAMES[name]: LossTerm(mean.sum(), paddle.to_tensor(1.0)) for name, mean in found.items()}

    def _inputs(self, batch: DetectorBatch) -> dict[str, object]:
        """Return the batch under PaddleDetection's names, as tensors."""
        levels = [paddle.to_tensor(level) for level in batch.levels]
        lists: dict[str, Sequence[NDArray[Any]]] = {"gt_bbox": batch.boxes, "gt_class": batch.labels,
                                                    "gt_attr": batch.attributes}  # fmt: skip
        return {
            self._levels: levels if self._levels == "maps" else levels[0],
            "im_shape": paddle.to_tensor(batch.sizes),
            **{name: [paddle.to_tensor(part) for part in parts] for name, parts in lists.items()},
        }

