"""Attribute accuracy, the majority's and the mean average precision, by hand."""

from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.regions import Regions
from unimo_paddle.vision.annotations import Scene
from unimo_paddle.vision.attribute_scores import attribute_scores

LEFT, RIGHT, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [60, 60, 70, 70]


def scene(boxes: list[list[int]], attributes: list[tuple[int, ...]]) -> Scene:
    labels = np.zeros(len(boxes), np.int32)
    return Scene("1", Path("1.jpg"), 100, 100, np.float32(boxes).reshape(-1, 4), labels, tuple(attributes))


def regions(boxes: list[list[int]], told: list[list[float]] | None) -> Regions:
    count = len(boxes)
    classes = np.tile(np.float32([0.2, 0.8]), (count, 1))
    attributes = None if told is None else np.float32(told).reshape(count, 3)
    return Regions(np.zeros((count, 2), np.float32), np.float32(boxes).reshape(-1, 4), classes, 100, 100, attributes)


def test_by_hand() -> None:
    """Attribute 0 of the left one is told, 1 of the right one is not; the far one is not found, a fourth has none.

    Majority: 0, which one of the two found has. Attribute 0: the left region is its best, right, and the far object
    is missed: 1/2. Attribute 1: the right region scores it second, after the left one (wrong): 1/2 at full recall.
    """
    real = [scene([LEFT, RIGHT, FAR], [(0,), (1,), (0,)]), scene([LEFT], [()])]
    found = [regions([LEFT, RIGHT], [[0.1, 0.5, 0.4], [0.1, 0.6, 0.3]]), regions([LEFT], [[0.9, 0.05, 0.05]])]
    scores = attribute_scores(found, real)
    assert scores is not None and scores.objects == 2
    assert (scores.accuracy, scores.majority) == (0.5, 0.5)
    # Attribute 0 by falling score: right region (wrong), left region (right), so 1/2 of two objects: 1/4.
    assert scores.mean_precision == pytest.approx((1 / 4 + 1 / 2) / 2)


def test_any_attribute_of_the_object_is_right() -> None:
    scores = attribute_scores([regions([LEFT], [[0.8, 0.05, 0.15]])], [scene([LEFT], [(0, 1)])])
    assert scores is not None and scores.accuracy == 1  # "none" is not an answer, however probable


def test_without_attributes() -> None:
    assert attribute_scores([regions([LEFT], None)], [scene([LEFT], [(0,)])]) is None
    assert attribute_scores([regions([LEFT], [[0.5, 0.5, 0]])], [scene([LEFT], [()])]) is None
    nothing = attribute_scores([regions([], [])], [scene([LEFT], [(0,)])])
    assert nothing is not None and (nothing.objects, nothing.accuracy, nothing.mean_precision) == (0, 0, 0)
