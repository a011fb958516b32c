"""PaddleDetection 2.6.0's parts, mended for Paddle 3 by subclasses: no monkey patching, no registration.

The wheel concatenates 0-D tensors, which Paddle refuses since 2.5, in three places: `rpn_head.py` (proposal
counts), `target.py` (region counts) and `post_process.py`. The first two are overridden here, the third is not used.
Importing this module imports PaddleDetection: four seconds.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F
from PIL import ImageFile

with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # it prints about trackers nobody asked for
    warnings.simplefilter("ignore")
    from ppdet.modeling.architectures.faster_rcnn import FasterRCNN
    from ppdet.modeling.heads.bbox_head import BBoxHead
    from ppdet.modeling.layers import RCNNBox
    from ppdet.modeling.proposal_generator.rpn_head import RPNHead
    from ppdet.modeling.proposal_generator.target import label_box, sample_bbox
    from ppdet.modeling.proposal_generator.target_layer import BBoxAssigner

# PaddleDetection makes Pillow accept pictures that are cut short, in the whole process: back to Pillow's default.
ImageFile.LOAD_TRUNCATED_IMAGES = False

Inputs = Mapping[str, Any]
Targets = tuple[list[Tensor], list[Tensor], list[Tensor]]


class ProposalHead(RPNHead):
    """RPNHead whose proposal counts are built from whole numbers."""

    def _gen_proposal(
        self, scores: Sequence[Tensor], bbox_deltas: Sequence[Tensor], anchors: Sequence[Tensor], inputs: Inputs
    ) -> tuple[list[Tensor], Tensor]:
        """Return the proposals of each image, float32 [n, 4], and their numbers, int32 [B]."""
        generate = self.train_proposal if self.training else self.test_proposal
        sizes = inputs["im_shape"]
        proposals = []
        for i in range(sizes.shape[0]):
            levels = [
                generate(scores=s[i : i + 1], bbox_deltas=d[i : i + 1], anchors=a, im_shape=sizes[i : i + 1])
                for s, d, a in zip(scores, bbox_deltas, anchors, strict=True)
            ]
            proposals.append(_best(levels))
        return proposals, paddle.to_tensor([len(p) for p in proposals], dtype="int32")


def _best(levels: Sequence[tuple[Tensor, Tensor, Tensor, int]]) -> Tensor:
    """Join one image's levels and keep the wanted number of highest scores."""
    boxes = paddle.concat([level[0] for level in levels])
    scores = paddle.concat([level[1].flatten() for level in levels])
    wanted = levels[0][3]
    return paddle.gather(boxes, paddle.topk(scores, wanted)[1]) if len(boxes) > wanted else boxes


class RegionAssigner(BBoxAssigner):
    """BBoxAssigner whose region counts are built from whole numbers."""

    def __call__(
        self, rpn_rois: Sequence[Tensor], rpn_rois_num: Tensor, inputs: Inputs, stage: int = 0,
        is_cascade: bool = False, add_gt_as_proposals: bool = True,
    ) -> tuple[list[Tensor], Tensor, Targets]:  # fmt: skip
        """Sample regions to learn from: per image boxes [n, 4], their numbers [B], (labels, boxes, matches)."""
        chosen: list[Tensor] = []
        targets: Targets = ([], [], [])
        for i, proposals in enumerate(rpn_rois):
            truth, classes = inputs["gt_bbox"][i], inputs["gt_class"][i].flatten()
            boxes = paddle.concat([proposals, truth]) if len(truth) else proposals
            rows, *found = self._sample(boxes, truth, classes)
            chosen.append(rows)
            for column, value in zip(targets, found, strict=True):
                column.append(value)
        return chosen, paddle.to_tensor([len(c) for c in chosen], dtype="int32"), targets

    def _sample(self, boxes: Tensor, truth: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        matches, matched = label_box(
            boxes, truth, self.fg_thresh, self.bg_thresh, False, self.ignore_thresh, None, self.assign_on_cpu
        )
        index, labels = sample_bbox(
            matches, matched, classes, self.batch_size_per_im, self.fg_fraction, self.num_classes, self.use_random
        )
        rows, match = paddle.gather(boxes, index), paddle.gather(matches, index)
        wanted = paddle.gather(truth, match) if len(truth) else paddle.zeros([len(index), 4])
        for value in (rows, match, wanted):
            value.stop_gradient = True
        return rows, labels, wanted, match


class RegionHead(BBoxHead):
    """BBoxHead that also hands out the pooled feature it classified."""

    def features(self, maps: Sequence[Tensor], rois: Sequence[Tensor], counts: Tensor) -> Tensor:
        """Return float32 [N, feature_width] for the regions of the whole batch, image after image."""
        found = self.head(self.roi_extractor(maps, rois, counts))
        return F.adaptive_avg_pool2d(found, 1).flatten(1) if self.with_pool else found

    def describe(self, maps: Sequence[Tensor], rois: Sequence[Tensor], counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return feature [N, D], box deltas [N, 4 C] and class probabilities [N, C + 1], the background LAST."""
        feature = self.features(maps, rois, counts)
        return feature, self.bbox_delta(feature), F.softmax(self.bbox_score(feature))


class RegionDetector(FasterRCNN):
    """FasterRCNN that starts from feature maps when they are given, and answers with one record an image."""

    def __init__(self, backbone: nn.Layer, neck: nn.Layer, rpn_head: ProposalHead, bbox_head: RegionHead) -> None:
        super().__init__(backbone, rpn_head, bbox_head, None, neck)
        self.decode = RCNNBox(num_classes=bbox_head.num_classes)

    def fused(self, inputs: Inputs) -> list[Tensor]:
        """Return the neck's maps of inputs["maps"], or of inputs["image"] when no maps are given."""
        maps = inputs["maps"] if "maps" in inputs else self.backbone(inputs)
        return self.neck(maps)

    def training_losses(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return PaddleDetection's four losses for a batch with gt_bbox and gt_class."""
        maps = self.fused(inputs)
        rois, counts, losses = self.rpn_head(maps, inputs)
        head_losses, _ = self.bbox_head(maps, rois, counts, inputs)
        return {**losses, **head_losses}

    def describe(self, inputs: Inputs) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return for each image feature [N, D], boxes [N, C, 4] (pixels of the input) and probabilities [N, C + 1]."""
        maps = self.fused(inputs)
        rois, counts, _ = self.rpn_head(maps, inputs)
        feature, deltas, probabilities = self.bbox_head.describe(maps, rois, counts)
        (boxes, _), _ = self.decode((deltas, probabilities), (rois, counts), inputs["im_shape"], None)
        sizes = counts.tolist()
        parts = (paddle.split(part, sizes) for part in (feature, boxes, probabilities))
        return list(zip(*parts, strict=True))
