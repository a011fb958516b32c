import numpy as np
import pytest

from tests.reference import boxes as oracle
from unimo_paddle.vision.boxes import choose, overlap, suppress


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corners = rng.integers(0, 30, (count, 2, 2))
    return np.sort(corners, axis=1).reshape(count, 4).astype(np.float32)


def test_overlap_by_hand() -> None:
    boxes = np.float32([[0, 0, 4, 4], [2, 2, 6, 6], [4, 4, 8, 8], [3, 3, 3, 9]])
    np.testing.assert_allclose(overlap(boxes, boxes)[0], [1, 4 / 28, 0, 0], rtol=1e-6)
    assert overlap(boxes[3:], boxes[3:])[0, 0] == 0  # a box without extent does not even overlap itself


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_overlap_equals_the_oracle(count: int) -> None:
    rng = np.random.default_rng(count)
    first, second = random_boxes(rng, count), random_boxes(rng, 7)
    wanted = [[oracle.overlap(a, b) for b in second.tolist()] for a in first.tolist()]
    np.testing.assert_allclose(overlap(first, second), np.reshape(wanted, (count, 7)), rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 60])
@pytest.mark.parametrize("limit", [0.0, 0.3, 0.7])
def test_suppression_equals_the_oracle(count: int, limit: float) -> None:
    rng = np.random.default_rng(count)
    boxes, scores = random_boxes(rng, count), rng.integers(0, 5, count).astype(np.float32)  # with equal scores
    classes = rng.integers(0, 3, count)
    kept = suppress(boxes, scores, classes, limit)
    assert kept.tolist() == oracle.suppress(boxes.tolist(), scores.tolist(), classes.tolist(), limit)


@pytest.mark.parametrize(("threshold", "least", "most", "wanted"), [
    (0.5, 1, 100, 2),   # 0.9 and 0.6 are above; 0.5 itself is not
    (0.5, 3, 100, 3),   # too few above: filled up
    (0.0, 1, 3, 3),     # too many above: cut
    (0.95, 10, 100, 4),  # never more than there are
])  # fmt: skip
def test_choice(threshold: float, least: int, most: int, wanted: int) -> None:
    assert choose(np.float32([0.9, 0.6, 0.5, 0.1]), threshold, least, most) == wanted
