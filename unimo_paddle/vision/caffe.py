"""What bottom-up-attention's Caffe network does otherwise than PaddleDetection, as subclasses.

Boxes include their last pixel: a box from 0 to 15 is 16 wide. Anchors are rounded. Regions are pooled by the maximum of
whole cells. Extraction takes the proposals themselves, not moved by the deltas of a class. Source:
peteanderson80/bottom-up-attention, lib/rpn/{generate_anchors,proposal_layer}.py, lib/fast_rcnn/bbox_transform.py,
tools/generate_tsv.py and models/vg/ResNet-101/faster_rcnn_end2end_final/test.prototxt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from unimo_paddle.vision.compat import AnchorGenerator, Inputs, ProposalHead, RegionDetector, RegionHead

BASE = 16  # side of the anchor that all others are made of, pixels


class RoundedAnchors(AnchorGenerator):
    """AnchorGenerator with Caffe's rounding; the order is PaddleDetection's (and detectron2's): size, then ratio."""

    def generate_cell_anchors(self, sizes: Sequence[int], aspect_ratios: Sequence[float]) -> Tensor:
        """Return float32 [sizes * ratios, 4]."""
        return paddle.to_tensor(rounded_anchors(sizes, aspect_ratios))


def rounded_anchors(sizes: Sequence[int], ratios: Sequence[float]) -> NDArray[np.float32]:
    """Return the anchors of the cell at 0, 0: float32 [sizes * ratios, 4].

    sizes: multiples of 16.  ratios: height over width. The base anchor of each ratio is rounded, then enlarged.

    >>> rounded_anchors([128], [0.5, 1.0])
    array([[-84., -40.,  99.,  55.],
           [-56., -56.,  71.,  71.]], dtype=float32)
    """
    centre = (BASE - 1) / 2
    widths = [round(float(np.sqrt(BASE * BASE / ratio))) for ratio in ratios]
    shapes = [(width, round(width * ratio)) for width, ratio in zip(widths, ratios, strict=True)]
    sides = [(width * size / BASE, height * size / BASE) for size in sizes for width, height in shapes]
    rows = [[centre - (w - 1) / 2, centre - (h - 1) / 2, centre + (w - 1) / 2, centre + (h - 1) / 2] for w, h in sides]
    return np.array(rows, np.float32)


def moved(anchors: Tensor, deltas: Tensor) -> Tensor:
    """Return the boxes [N, 4] that the deltas [N, 4] (dx dy dw dh) make of the anchors [N, 4]."""
    sides = anchors[:, 2:] - anchors[:, :2] + 1
    centres = anchors[:, :2] + 0.5 * sides + deltas[:, :2] * sides
    half = 0.5 * paddle.exp(deltas[:, 2:]) * sides
    return paddle.concat([centres - half, centres + half], axis=1)


class CaffeProposalHead(ProposalHead):
    """ProposalHead with the proposal layer of the Caffe network."""

    def _gen_proposal(
        self, scores: Sequence[Tensor], bbox_deltas: Sequence[Tensor], anchors: Sequence[Tensor], inputs: Inputs
    ) -> tuple[list[Tensor], Tensor]:
        """Return the proposals of each image, best first, and their numbers.

        inputs may have "scales", float32 [B], scaled over original side: the smallest side counts in the original.
        """
        sizes = inputs["im_shape"].numpy()
        scales = inputs.get("scales", np.ones(len(sizes), np.float32))
        found = [
            self._of_image(scores[0][i], bbox_deltas[0][i], anchors[0], size, float(scale))
            for i, (size, scale) in enumerate(zip(sizes, scales, strict=True))
        ]
        return found, paddle.to_tensor([len(boxes) for boxes in found], dtype="int32")

    def _of_image(self, scores: Tensor, deltas: Tensor, anchors: Tensor, size: Any, scale: float) -> Tensor:
        settings = self.train_proposal if self.training else self.test_proposal
        ranks = scores.transpose([1, 2, 0]).flatten()
        boxes = moved(anchors, deltas.transpose([1, 2, 0]).reshape([-1, 4])).detach()
        height, width = (float(side) for side in size)
        boxes = paddle.clip(paddle.minimum(boxes, paddle.to_tensor([width - 1, height - 1] * 2)), min=0.0)
        wide = ((boxes[:, 2:] - boxes[:, :2] + 1) >= settings.min_size * scale).all(1)
        rows = paddle.nonzero(wide).flatten()
        if not len(rows):  # the network must describe something: then the image as a whole
            return paddle.to_tensor([[0.0, 0.0, width - 1, height - 1]])
        best = paddle.topk(paddle.gather(ranks, rows), min(settings.pre_nms_top_n, len(rows)))[1]
        boxes = paddle.gather(boxes, paddle.gather(rows, best))
        # One pixel more to the right and below turns the usual overlap into that of boxes with their last pixel.
        kept = paddle.vision.ops.nms(boxes + paddle.to_tensor([0.0, 0.0, 1.0, 1.0]), settings.nms_thresh)
        return paddle.gather(boxes, kept[: settings.post_nms_top_n])


class RegionPool(nn.Layer):
    """The maximum of whole cells, as Caffe's ROIPooling and torchvision's RoIPool have it."""

    def __init__(self, resolution: int, spatial_scale: float) -> None:
        super().__init__()
        self.resolution, self.spatial_scale = resolution, spatial_scale

    def forward(self, maps: Sequence[Tensor], rois: Sequence[Tensor], counts: Tensor) -> Tensor:
        """Return [N, C, resolution, resolution] of one map [B, C, H, W]."""
        return paddle.vision.ops.roi_pool(maps[0], paddle.concat(rois), counts, self.resolution, self.spatial_scale)


class CaffeRegionHead(RegionHead):
    """RegionHead that describes the best class of all, the background among them, as test.prototxt does."""

    def _class_described(self, probabilities: Tensor) -> Tensor:
        return probabilities.argmax(1)


class CaffeDetector(RegionDetector):
    """RegionDetector whose boxes are the proposals: the published features have no others."""

    def boxes(
        self, deltas: Tensor, probabilities: Tensor, rois: Sequence[Tensor], counts: Tensor, sizes: Tensor
    ) -> Tensor:
        """Return the proposals, the same for each class: [N, C, 4]."""
        classes = self.bbox_head.num_classes
        return paddle.concat(rois).unsqueeze(1).expand([-1, classes, -1])
