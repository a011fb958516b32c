"""Boxes in numpy: overlap, suppression, the choice of regions. Boxes are float [N, 4], x1 y1 x2 y2, pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def area(boxes: Floats) -> Floats:
    """Return float [N]; 0 for a box without extent."""
    return (boxes[:, 2] - boxes[:, 0]).clip(0) * (boxes[:, 3] - boxes[:, 1]).clip(0)


def shared_area(first: Floats, second: Floats) -> Floats:
    """Return the area of the intersections, float [N, M]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return (high - low).clip(0).prod(-1)


def overlap(first: Floats, second: Floats) -> Floats:
    """Return intersection over union, float [N, M]; 0 where neither box has an extent."""
    shared = shared_area(first, second)
    union = area(first)[:, None] + area(second)[None] - shared
    return shared / np.where(union > 0, union, 1)


def suppress(boxes: Floats, scores: Floats, classes: Ints, limit: float) -> Ints:
    """Per-class non-maximum suppression.

    scores: [N].  classes: [N]; boxes of different classes never suppress each other.  limit: overlap above which
    the lower score goes.  Returns the kept rows, best score first; of equal scores the earlier row is better.
    """
    order = np.argsort(-scores, kind="stable")
    clash = (overlap(boxes, boxes) > limit) & (classes[:, None] == classes[None])
    alive = np.ones(len(boxes), bool)
    kept = []
    for row in order:
        if alive[row]:
            kept.append(row)
            alive &= ~clash[row]
    return np.array(kept, np.int64)


def choose(scores: Floats, threshold: float, least: int, most: int) -> int:
    """Return how many of the regions, sorted by falling score, are kept: those above the threshold, but at least
    `least` and at most `most`, and never more than there are. Source: bottom-up-attention's published selection."""
    confident = int((scores > threshold).sum())
    return min(max(confident, least), most, len(scores))
