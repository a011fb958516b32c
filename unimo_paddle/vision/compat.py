"""PaddleDetection 2.6.0's parts, mended for Paddle 3 by subclasses: no monkey patching, no registration.

The wheel concatenates 0-D tensors, which Paddle refuses since 2.5, in three places: `rpn_head.py` (proposal
counts), `target.py` (region counts) and `post_process.py`. The first two are overridden here, the third is not used.
Importing this module imports PaddleDetection: four seconds. Its other users in vision/ take its names from here, so
that it is always loaded in the same, quiet way.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F
from PIL import ImageFile

from unimo_paddle.vision.attributes import AttributeHead, attribute_loss

with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # it prints about trackers nobody asked for
    warnings.simplefilter("ignore")
    from ppdet.modeling.architectures.faster_rcnn import FasterRCNN
    from ppdet.modeling.backbones.name_adapter import NameAdapter
    from ppdet.modeling.backbones.resnet import BasicBlock, Blocks, BottleNeck, ResNet, ResNet_cfg
    from ppdet.modeling.heads.bbox_head import BBoxHead
    from ppdet.modeling.layers import RCNNBox
    from ppdet.modeling.proposal_generator.anchor_generator import AnchorGenerator
    from ppdet.modeling.proposal_generator.rpn_head import RPNFeat, RPNHead
    from ppdet.modeling.proposal_generator.target import label_box, sample_bbox
    from ppdet.modeling.proposal_generator.target_layer import BBoxAssigner

__all__ = [
    "AnchorGenerator", "BasicBlock", "Blocks", "BottleNeck", "Described", "Inputs", "NameAdapter", "ProposalHead",
    "RegionAssigner", "RegionDetector", "RegionHead", "ResNet", "ResNet_cfg",
]  # fmt: skip

# Paddle says so of each normalisation in training; those of a ResNet track nothing (use_global_stats).
warnings.filterwarnings("ignore", message="When training, we now always track global mean and variance")
# PaddleDetection makes Pillow accept pictures that are cut short, in the whole process: back to Pillow's default.
ImageFile.LOAD_TRUNCATED_IMAGES = False

Inputs = Mapping[str, Any]
Targets = tuple[list[Tensor], list[Tensor], list[Tensor]]


@dataclass(frozen=True)
class Described:
    """What the detector says of one image's proposals.

    feature: float32 [N, D].  boxes: float32 [N, C, 4], of each class, pixels of the input.
    probabilities: [N, C + 1], the background LAST.  attributes: [N, A + 1], none FIRST, or None: no attribute head.
    """

    feature: Tensor
    boxes: Tensor
    probabilities: Tensor
    attributes: Tensor | None


class ProposalHead(RPNHead):
    """RPNHead whose proposal counts are built from whole numbers, and whose hidden map may be narrower than its input.

    in_channel: channels of the map it is given.  hidden: channels of the map that it reads the proposals from.
    """

    def __init__(self, in_channel: int, hidden: int, **parts: Any) -> None:
        super().__init__(in_channel=hidden, **parts)
        if in_channel != hidden:
            self.rpn_feat = RPNFeat(in_channel, hidden)

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
    """BBoxHead that also hands out the pooled feature it classified, and tells attributes if it is to.

    attributes: how many there are, without none; 0: no attribute head.
    """

    def __init__(self, in_channel: int, num_classes: int, attributes: int, **parts: Any) -> None:
        super().__init__(in_channel=in_channel, num_classes=num_classes, **parts)
        self.attribute_head = AttributeHead(in_channel, num_classes, attributes) if attributes else None

    def forward(self, maps: Sequence[Tensor], rois: Sequence[Tensor], counts: Tensor, inputs: Inputs) -> Any:
        """Return the losses, and what the head made of the regions; called in training only."""
        losses, found = super().forward(maps, rois, counts, inputs)
        if self.attribute_head is not None:
            losses["loss_attributes"] = self._attribute_loss(self._pooled(found), inputs["gt_attr"])
        return losses, found

    def features(self, maps: Sequence[Tensor], rois: Sequence[Tensor], counts: Tensor) -> Tensor:
        """Return float32 [N, feature_width] for the regions of the whole batch, image after image."""
        return self._pooled(self.head(self.roi_extractor(maps, rois, counts)))

    def describe(
        self, maps: Sequence[Tensor], rois: Sequence[Tensor], counts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return feature [N, D], box deltas [N, 4 C], class probabilities [N, C + 1], the background LAST, and
        attribute probabilities [N, A + 1], none FIRST, or None."""
        feature = self.features(maps, rois, counts)
        probabilities = F.softmax(self.bbox_score(feature))
        attributes = None
        if self.attribute_head is not None:
            attributes = F.softmax(self.attribute_head(feature, self._class_described(probabilities)))
        return feature, self.bbox_delta(feature), probabilities, attributes

    def _class_described(self, probabilities: Tensor) -> Tensor:
        """Return int64 [N]: the object whose attributes are told; the head learned nothing about the background."""
        return probabilities[:, :-1].argmax(1)

    def _pooled(self, found: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(found, 1).flatten(1) if self.with_pool else found

    def _attribute_loss(self, feature: Tensor, truth: Sequence[Tensor]) -> Tensor:
        """Return the mean over the attribute labels of the sampled objects, whose true classes are embedded."""
        labels, _, matches = self.assigned_targets
        wanted = [
            paddle.gather(rows, match) if len(rows) else paddle.zeros([len(match), rows.shape[1]])
            for rows, match in zip(truth, matches, strict=True)
        ]
        classes = paddle.concat(labels).flatten().astype("int64")
        objects = paddle.nonzero(classes < self.num_classes).flatten()
        if not len(objects):
            return paddle.zeros([])
        head = self.attribute_head
        assert head is not None
        logits = head(paddle.gather(feature, objects), paddle.gather(classes, objects))
        total, count = attribute_loss(logits, paddle.gather(paddle.concat(wanted), objects))
        return total / count


class RegionDetector(FasterRCNN):
    """FasterRCNN that starts from feature maps when they are given, and answers with one record an image.

    neck: makes the one map of stride 16 out of the backbone's; None when that has just this one.
    """

    def __init__(
        self, backbone: nn.Layer, neck: nn.Layer | None, rpn_head: ProposalHead, bbox_head: RegionHead
    ) -> None:
        super().__init__(backbone, rpn_head, bbox_head, None, neck)
        self.decode = RCNNBox(num_classes=bbox_head.num_classes)

    def fused(self, inputs: Inputs) -> list[Tensor]:
        """Return the map of inputs["maps"], the backbone's, or of inputs["image"] when no maps are given."""
        maps = inputs["maps"] if "maps" in inputs else self.backbone(inputs)
        return maps if self.neck is None else self.neck(maps)

    def training_losses(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return PaddleDetection's four losses for a batch with gt_bbox and gt_class; with an attribute head also
        loss_attributes, for gt_attr."""
        maps = self.fused(inputs)
        rois, counts, losses = self.rpn_head(maps, inputs)
        head_losses, _ = self.bbox_head(maps, rois, counts, inputs)
        return {**losses, **head_losses}

    def describe(self, inputs: Inputs) -> list[Described]:
        """Return what is found in each image."""
        maps = self.fused(inputs)
        rois, counts, _ = self.rpn_head(maps, inputs)
        feature, deltas, probabilities, attributes = self.bbox_head.describe(maps, rois, counts)
        boxes = self.boxes(deltas, probabilities, rois, counts, inputs["im_shape"])
        sizes = counts.tolist()
        parts = [paddle.split(part, sizes) for part in (feature, boxes, probabilities)]
        told = [None] * len(sizes) if attributes is None else paddle.split(attributes, sizes)
        return [Described(*row) for row in zip(*parts, told, strict=True)]

    def boxes(
        self, deltas: Tensor, probabilities: Tensor, rois: Sequence[Tensor], counts: Tensor, sizes: Tensor
    ) -> Tensor:
        """Return the proposals moved by each class's deltas, [N, C, 4]."""
        (boxes, _), _ = self.decode((deltas, probabilities), (rois, counts), sizes, None)
        return boxes
