import numpy as np
import pytest

from unimo_paddle.data.encode import encode_image, encode_text
from unimo_paddle.data.tokenizer import Tokens
from unimo_paddle.errors import UserError
from unimo_paddle.regions import Regions

CLS, SEP = 0, 2


def tokens(*ids: int) -> Tokens:
    return Tokens(np.array(ids, np.int64), np.array([i % 2 == 1 for i in ids], np.bool_))


def regions(n: int, width: int = 200, height: int = 100) -> Regions:
    rng = np.random.default_rng(n)
    corners = np.sort(rng.random((n, 2, 2)), axis=1) * [width, height]
    class_probs = rng.random((n, 3))
    return Regions(
        features=rng.random((n, 4)).astype(np.float32),
        boxes=corners.reshape(n, 4).astype(np.float32),
        class_probs=(class_probs / class_probs.sum(axis=1, keepdims=True)).astype(np.float32),
        width=width,
        height=height,
    )


def test_text_is_wrapped_with_positions_from_two() -> None:
    row = encode_text(tokens(11, 12, 13), CLS, SEP, max_tokens=8)
    assert row.ids.tolist() == [0, 11, 12, 13, 2]
    assert row.positions.tolist() == [2, 3, 4, 5, 6]
    assert row.word_start.tolist() == [True, True, False, True, True]
    assert (row.ids.dtype, row.positions.dtype, row.word_start.dtype) == (np.int64, np.int64, np.bool_)


@pytest.mark.parametrize("max_tokens, expected", [(6, [0, 11, 12, 13, 14, 2]), (5, [0, 11, 12, 13, 2]), (2, [0, 2])])
def test_long_text_keeps_both_special_tokens(max_tokens: int, expected: list[int]) -> None:
    assert encode_text(tokens(11, 12, 13, 14), CLS, SEP, max_tokens).ids.tolist() == expected


def test_empty_text_is_the_two_special_tokens() -> None:
    row = encode_text(tokens(), CLS, SEP, max_tokens=8)
    assert row.ids.tolist() == [0, 2] and row.ids.dtype == np.int64


def test_longest_text_ends_at_the_last_row_of_the_position_table() -> None:
    assert encode_text(tokens(*range(5, 905)), CLS, SEP, max_tokens=512).positions[-1] == 513


def test_image_row_by_hand() -> None:
    two = Regions(
        features=np.array([[1, 2], [3, 6]], np.float32),
        boxes=np.array([[0, 0, 50, 50], [100, 20, 200, 100]], np.float32),
        class_probs=np.array([[0.1, 0.9], [0.5, 0.5]], np.float32),
        width=200,
        height=100,
    )
    row = encode_image(two, "a", max_regions=10)
    assert row.features.tolist() == [[2, 4], [1, 2], [3, 6]]
    expected = [[0, 0, 1, 1, 1], [0, 0, 0.25, 0.5, 0.125], [0.5, 0.2, 1, 1, 0.4]]
    assert np.allclose(row.locations, expected, atol=1e-6)
    assert row.class_probs.tolist() == [[0, 0], two.class_probs[0].tolist(), [0.5, 0.5]]
    assert row.boxes.tolist() == [[0, 0, 200, 100], [0, 0, 50, 50], [100, 20, 200, 100]]
    assert {part.dtype for part in vars(row).values()} == {np.dtype(np.float32)}


def test_mean_is_taken_before_the_cut() -> None:
    many = regions(30)
    row = encode_image(many, "a", max_regions=4)
    assert [len(part) for part in vars(row).values()] == [5, 5, 5, 5]
    by_loop = [sum(float(feature[d]) for feature in many.features) / 30 for d in range(4)]
    assert np.allclose(row.features[0], by_loop, atol=1e-6)
    assert not np.allclose(row.features[0], many.features[:4].mean(axis=0), atol=1e-3)
    assert np.array_equal(row.features[1:], many.features[:4])


def test_locations_equal_plain_arithmetic() -> None:
    some = regions(25, width=640, height=427)
    for (x1, y1, x2, y2), location in zip(some.boxes.tolist(), encode_image(some, "a", 25).locations[1:], strict=True):
        share = (x2 - x1) * (y2 - y1) / (640 * 427)
        assert np.allclose(location, [x1 / 640, y1 / 427, x2 / 640, y2 / 427, share], atol=1e-6)


def test_an_image_without_regions_is_named() -> None:
    with pytest.raises(UserError, match=r"'COCO_17' has 0 regions"):
        encode_image(regions(0), "COCO_17", max_regions=4)
