"""The attribute head: which of the attributes a region has, told from its pooled feature and its class.

Source: bottom-up-attention, models/vg/ResNet-101/faster_rcnn_end2end_final/train.prototxt (cls_embedding, fc_attr,
attr_score, loss_attr) and lib/rpn/proposal_target_layer.py (attribute labels).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn
from paddle.nn import functional as F

LOSS_WEIGHT = 0.5  # train.prototxt, loss_attr


class AttributeHead(nn.Layer):
    """Class embedding beside the feature, one hidden layer, a score for "none" and for each attribute.

    The widths are the source's: of a feature of 2,048 an embedding of 256 and a hidden layer of 512.
    """

    def __init__(self, feature_width: int, classes: int, attributes: int) -> None:
        super().__init__()
        beside, hidden = max(1, feature_width // 8), max(1, feature_width // 4)
        self.class_embedding = nn.Embedding(classes + 1, beside, weight_attr=_gaussian())
        self.hidden = nn.Linear(feature_width + beside, hidden, weight_attr=_gaussian())
        self.score = nn.Linear(hidden, attributes + 1, weight_attr=_gaussian())

    def forward(self, feature: Tensor, classes: Tensor) -> Tensor:
        """Return logits [N, attributes + 1], column 0 for none; feature [N, D], classes int64 [N], background last."""
        beside = self.class_embedding(classes)
        return self.score(F.relu(self.hidden(paddle.concat([feature, beside], axis=1))))


def _gaussian() -> paddle.ParamAttr:
    return paddle.ParamAttr(initializer=nn.initializer.Normal(0.0, 0.01))


def attribute_loss(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of the cross-entropies over all labels, and how many labels there are; both scalars.

    logits: [N, A + 1].  targets: float32 [N, A + 1], 1 for each label of the region: all its attributes, or column 0
    alone when it has none. Every label counts alike, so that a region of three attributes weighs three times as much
    as one of one: Caffe's SoftmaxWithLoss over up to 16 labels a region, normalised by the valid ones.
    """
    return -(targets * F.log_softmax(logits, axis=1)).sum(), targets.sum()


def label_rows(attributes: Sequence[Sequence[int]], count: int) -> NDArray[np.float32]:
    """Return the targets of boxes, float32 [n, count + 1]; attributes: of each box, counted from 0 without none."""
    rows = np.zeros((len(attributes), count + 1), np.float32)
    for row, chosen in zip(rows, attributes, strict=True):
        row[[attribute + 1 for attribute in chosen] or [0]] = 1
    return rows
