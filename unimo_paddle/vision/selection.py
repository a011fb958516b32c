"""Which of the proposals become the regions of a picture, the most confident first; numpy only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.vision.boxes import choose, overlap, suppress
from unimo_paddle.vision.settings import Choice

OWN_OVERLAP = 0.5
PUBLISHED_OVERLAP = 0.3  # bottom-up-attention, lib/fast_rcnn/config.py, TEST.NMS
FLOOR = 1e-3  # class probabilities below it count for nothing
Floats = NDArray[np.float32]
Selected = tuple[NDArray[np.int64], NDArray[np.int64]]


def by_best_class(boxes: Floats, objects: Floats, choice: Choice) -> Selected:
    """Let each proposal stand for its most probable class; of those of one class that overlap, the best one stays.

    boxes: [N, C, 4], of each class.  objects: probabilities [N, C] without the background.
    Returns the kept rows, best first, and the class whose box each has.
    """
    classes, scores = objects.argmax(1), objects.max(1)
    kept = suppress(boxes[np.arange(len(boxes)), classes], scores, classes, OWN_OVERLAP)
    kept = kept[: choose(scores[kept], choice.threshold, choice.least, choice.most)]
    return kept, classes[kept]


def as_published(boxes: Floats, objects: Floats, choice: Choice) -> Selected:
    """Select as bottom-up-attention's tools/generate_tsv.py does; arguments and result as of `by_best_class`.

    Suppression goes on in every class by itself; a proposal's confidence is the highest probability among the classes
    in which it survives, which need not be its most probable one. Pairs of proposal and class are visited by falling
    probability, so that a proposal is settled by the first in which it survives, and the rest need no visit.
    Proposals that survive nowhere above a probability of 0.001 only fill up to choice.least.
    """
    settled: dict[int, int] = {}
    survivors: dict[int, list[int]] = {}
    for row, label in _falling(objects):
        is_enough = objects[row, label] <= choice.threshold and len(settled) >= choice.least
        if is_enough or len(settled) == min(choice.most, len(boxes)):
            break
        rivals = survivors.setdefault(label, [])
        if not rivals or overlap(boxes[row, label][None], boxes[rivals, label]).max() <= PUBLISHED_OVERLAP:
            rivals.append(row)
            settled.setdefault(row, label)
    others = (row for row in np.argsort(-objects.max(1), kind="stable").tolist() if row not in settled)
    while len(settled) < min(choice.least, len(boxes)):
        row = next(others)
        settled[row] = int(objects[row].argmax())
    return np.array(list(settled), np.int64), np.array(list(settled.values()), np.int64)


def _falling(objects: Floats) -> Iterator[tuple[int, int]]:
    """Yield (proposal, class) by falling probability down to FLOOR; of equal ones the earlier proposal first."""
    rows, labels = np.nonzero(objects > FLOOR)
    order = np.argsort(-objects[rows, labels], kind="stable")
    yield from zip(rows[order].tolist(), labels[order].tolist(), strict=True)
