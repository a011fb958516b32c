"""Slow oracles for boxes, written from the definitions, one box at a time."""

from __future__ import annotations

from collections.abc import Sequence

Box = Sequence[float]


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes x1 y1 x2 y2; 0 when both are empty."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = _area(a) + _area(b) - width * height
    return width * height / union if union > 0 else 0.0


def suppress(boxes: Sequence[Box], scores: Sequence[float], classes: Sequence[int], limit: float) -> list[int]:
    """Keep a box unless a kept better box of its class overlaps it by more than the limit."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda row: (-scores[row], row)):
        if all(classes[i] != classes[k] or overlap(boxes[i], boxes[k]) <= limit for k in kept):
            kept.append(i)
    return kept


def spread(kept: dict[int, float], classes: int) -> list[float]:
    """The distribution of a region of which only some probabilities are known."""
    rest = max(0.0, 1.0 - sum(kept.values()))
    others = classes - len(kept)
    return [kept[c] if c in kept else rest / others for c in range(classes)]


def area_under_curve(rights: Sequence[bool], wanted: int) -> float:
    """Average precision: for each right detection, the best precision reached there or later, over the boxes wanted."""
    precision = [sum(rights[: n + 1]) / (n + 1) for n in range(len(rights))]
    return sum(max(precision[n:]) for n, is_right in enumerate(rights) if is_right) / wanted


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def match(a: Sequence[Box], b: Sequence[Box], least: float) -> list[tuple[int, int]]:
    """Pair boxes, again and again the two free ones that overlap most; of equal ones the first row, then column."""
    pairs: list[tuple[int, int]] = []
    while True:
        free = [(i, k) for i in range(len(a)) for k in range(len(b))
                if all(i != x and k != y for x, y in pairs) and overlap(a[i], b[k]) >= least]  # fmt: skip
        if not free:
            return pairs
        pairs.append(max(free, key=lambda pair: (overlap(a[pair[0]], b[pair[1]]), -pair[0], -pair[1])))
