"""Average precision of detections, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.vision.boxes import overlap


@dataclass(frozen=True)
class Detections:
    """Of one image: boxes float [n, 4] x1 y1 x2 y2, scores float [n], labels int [n]."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """Of one image: boxes float [n, 4], labels int [n]."""

    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]


def average_precision(found: Sequence[Detections], truth: Sequence[Truth], limit: float = 0.5) -> dict[int, float]:
    """Return label -> average precision for each label that occurs in the truth; their mean is AP50 at limit 0.5."""
    labels = sorted({int(label) for image in truth for label in image.labels})
    return {label: _of_label(label, found, truth, limit) for label in labels}


def _of_label(label: int, found: Sequence[Detections], truth: Sequence[Truth], limit: float) -> float:
    mine = [(image.boxes[image.labels == label], image.scores[image.labels == label]) for image in found]
    return precision_of(mine, [real.boxes[real.labels == label] for real in truth], limit)


def precision_of(
    found: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]], truth: Sequence[NDArray[np.float32]],
    limit: float = 0.5,
) -> float:  # fmt: skip
    """Return the average precision of one label.

    found: of each image boxes [n, 4] and scores [n].  truth: of each image the label's boxes [m, 4].
    A detection is right when it overlaps a box, not yet taken by a better detection, by at least `limit`. The
    precision is made falling and integrated over recall at all points (PASCAL VOC 2010).
    """
    scores: list[float] = []
    rights: list[bool] = []
    for (boxes, confidence), real in zip(found, truth, strict=True):
        order = np.argsort(-confidence, kind="stable")
        scores += confidence[order].tolist()
        rights += _match(overlap(boxes[order], real), limit)
    best_first = np.argsort(-np.array(scores), kind="stable")
    return integrate(np.array(rights, bool)[best_first], sum(len(real) for real in truth))


def _match(overlaps: NDArray[np.float32], limit: float) -> list[bool]:
    taken = np.zeros(overlaps.shape[1], bool)
    rights = []
    for row in overlaps:
        free = np.where(taken, -1.0, row)
        is_right = free.size > 0 and free.max() >= limit
        if is_right:
            taken[free.argmax()] = True
        rights.append(bool(is_right))
    return rights


def integrate(rights: NDArray[np.bool_], wanted: int) -> float:
    """Return the area under the falling precision over recall; rights: best score first; wanted: boxes there are."""
    if len(rights) == 0:
        return 0.0
    hits = np.cumsum(rights)
    precision = hits / np.arange(1, len(rights) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    gained = np.diff(np.concatenate([[0], hits])) / wanted
    return float((falling * gained).sum())
