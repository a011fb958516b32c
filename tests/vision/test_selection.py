"""Which proposals are kept: by hand, and the published way against its slow oracle."""

import numpy as np
import pytest

from tests.reference import selection as oracle
from unimo_paddle.vision.selection import PUBLISHED_OVERLAP, as_published, by_best_class
from unimo_paddle.vision.settings import Choice


def proposals(seed: int, count: int, classes: int, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [N, C, 4] in clumps, so that many overlap, and probabilities [N, C], of which no two are equal."""
    rng = np.random.default_rng(seed)
    corner = np.repeat(rng.uniform(0, 60, (-(-count // 4), 2)), 4, axis=0)[:count] + rng.uniform(0, 9, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(15, 25, (count, 2))], axis=1)[:, None]
    boxes = boxes + (0 if shared else rng.uniform(-4, 4, (count, classes, 4)))
    objects = rng.dirichlet([0.2] * (classes + 1), count)[:, :-1]
    return np.broadcast_to(boxes, (count, classes, 4)).astype(np.float32), objects.astype(np.float32)


@pytest.mark.parametrize("shared", [True, False])  # Caffe's boxes are the proposals, the same for each class
@pytest.mark.parametrize(("threshold", "least", "most"), [(0.2, 10, 100), (0.2, 10, 12), (0.9, 5, 100), (0.0, 1, 6)])
def test_published_selection_is_the_oracles(threshold: float, least: int, most: int, shared: bool) -> None:
    for seed in range(6):
        boxes, objects = proposals(seed, 30, 7, shared)
        rows, labels = as_published(boxes, objects, Choice(threshold, least, most))
        wanted = oracle.select(boxes, objects, PUBLISHED_OVERLAP, threshold, least, most)
        found = oracle.confidences(boxes, objects, PUBLISHED_OVERLAP)
        sure = [row for row in wanted if found[row] > 1e-3]  # below, the order is the oracle's whim
        assert rows.tolist()[: len(sure)] == sure and len(rows) == len(wanted) == len(set(rows.tolist()))
        np.testing.assert_array_equal(objects[rows, labels][: len(sure)], np.float32([found[row] for row in sure]))


def test_two_classes_of_one_place_are_told_apart() -> None:
    """Two proposals of one box: the second is no second dog, but survives as a cat, at the cat's probability."""
    boxes = np.tile(np.float32([0, 0, 10, 10]), (2, 2, 1))
    objects = np.float32([[0.9, 0.02], [0.6, 0.3]])
    rows, labels = as_published(boxes, objects, Choice(0.2, 1, 5))
    assert (rows.tolist(), labels.tolist()) == ([0, 1], [0, 1])
    rows, labels = by_best_class(boxes, objects, Choice(0.2, 1, 5))
    assert (rows.tolist(), labels.tolist()) == ([0], [0])


@pytest.mark.parametrize("select", [as_published, by_best_class])
def test_few_and_unsure_proposals(select) -> None:
    boxes = np.float32([[[0, 0, 9, 9]], [[20, 0, 29, 9]], [[40, 0, 49, 9]]])
    objects = np.float32([[0.0], [0.0004], [0.0]])
    assert select(boxes, objects, Choice(0.2, 2, 5))[0].tolist() == [1, 0]
    assert select(boxes, objects, Choice(0.2, 10, 100))[0].tolist() == [1, 0, 2]
