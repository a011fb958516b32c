import numpy as np
import pytest

from tests.reference import boxes as oracle
from unimo_paddle.vision.precision import Detections, Truth, average_precision, integrate

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def detections(*rows: tuple[list[int], float, int]) -> Detections:
    boxes, scores, labels = zip(*rows, strict=True) if rows else ([], [], [])
    return Detections(np.float32(boxes).reshape(-1, 4), np.float32(scores), np.int64(labels))


def truth(*rows: tuple[list[int], int]) -> Truth:
    return Truth(np.float32([box for box, _ in rows]).reshape(-1, 4), np.int32([label for _, label in rows]))


def test_by_hand() -> None:
    """Label 0 has three boxes. By falling score: right, double of the first (wrong), right; one is never found.

    Precision at the right ones 1 and 2/3, so (1 + 2/3) / 3. Label 1: only a box that overlaps by 0.4: 0.
    """
    found = [detections((BOX, 0.9, 0), ([0, 0, 10, 9], 0.8, 0), ([50, 50, 60, 54], 0.7, 1)), detections((FAR, 0.6, 0))]
    real = [truth((BOX, 0), (FAR, 1)), truth((FAR, 0), (BOX, 0))]
    assert average_precision(found, real) == {0: pytest.approx((1 + 2 / 3) / 3), 1: 0.0}


def test_right_label_is_needed() -> None:
    assert average_precision([detections((BOX, 0.9, 1))], [truth((BOX, 0))]) == {0: 0.0}


def test_picture_without_detections_or_truth() -> None:
    assert average_precision([detections(), detections((BOX, 0.5, 0))], [truth((BOX, 0)), truth()]) == {0: 0.0}


def test_overlap_limit_is_reached() -> None:
    half = detections(([0, 0, 10, 5], 0.9, 0))
    assert average_precision([half], [truth((BOX, 0))], 0.5) == {0: 1.0}
    assert average_precision([half], [truth((BOX, 0))], 0.51) == {0: 0.0}


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_area_equals_the_oracle(count: int) -> None:
    rights = np.random.default_rng(count).random(count) < 0.5
    wanted = int(rights.sum()) + 2
    assert integrate(rights, wanted) == pytest.approx(oracle.area_under_curve(rights.tolist(), wanted))
