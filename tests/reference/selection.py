"""The published selection of regions, as bottom-up-attention's tools/generate_tsv.py writes it, class after class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.reference.boxes import overlap


def confidences(boxes: np.ndarray, objects: np.ndarray, limit: float) -> list[float]:
    """The highest probability of each proposal among the classes in which it survives; 0 when there is none.

    boxes: [N, C, 4].  objects: [N, C], without the background.
    """
    best = [0.0] * len(boxes)
    for label in range(objects.shape[1]):
        for row in survivors(boxes[:, label], objects[:, label], limit):
            best[row] = max(best[row], float(objects[row, label]))
    return best


def survivors(boxes: np.ndarray, scores: Sequence[float], limit: float) -> list[int]:
    kept: list[int] = []
    for row in sorted(range(len(boxes)), key=lambda k: (-scores[k], k)):
        if all(overlap(boxes[row], boxes[other]) <= limit for other in kept):
            kept.append(row)
    return kept


def select(boxes: np.ndarray, objects: np.ndarray, limit: float, threshold: float, least: int, most: int) -> list[int]:
    """The proposals above the threshold; the best `least` or `most` when these are too few or too many."""
    found = confidences(boxes, objects, limit)
    order = sorted(range(len(boxes)), key=lambda k: (-found[k], k))
    confident = sum(value > threshold for value in found)
    return order[: min(max(confident, least), most)]
